// Which weights of a model are served now. Whoever publishes weights says so in a bucket; every node follows it, and names the
// version with every turn that it plays from then on.

import { createHash } from 'node:crypto'
import { followed, keptNow } from '../bus/now.ts'
import type { Bus } from '../bus/types.ts'
import { toPlain } from '../errors.ts'
import type { PolicyVersions } from '../ports.ts'
import { pack, unpack } from './codec.ts'

/** `at`: milliseconds since 1970. */
export interface ServedPolicy { model: string; version: string; at: number }

/** Names of models take any character, keys do not. */
const keyOf = (model: string): string => createHash('sha256').update(model).digest('hex').slice(0, 32)

const readServed = (bytes: Uint8Array, key: string): ServedPolicy => unpack<ServedPolicy>(bytes, `the policy ${key}`)

export async function announcePolicy (bus: Bus, { model, version, at }: ServedPolicy): Promise<void> {
  await bus.kv.policies.put(keyOf(model), pack({ model, version, at }))
}

/** By model. */
export async function listPolicies (bus: Bus): Promise<ServedPolicy[]> {
  return [...(await keptNow(bus.kv.policies, '', readServed)).values()].sort((one, other) => one.model < other.model ? -1 : 1)
}

export interface ServedPolicies {
  /** Resolves when what was there is known. */
  ready: Promise<void>
  /** `otherwise`, until somebody says which version of the model is served. */
  of (model: string, otherwise: PolicyVersions): PolicyVersions
}

/** Until the signal aborts. An entry that cannot be read leaves what was known before, and `onFault` is told. */
export function followPolicies (bus: Bus, onFault: (code: string, message: string) => void, signal: AbortSignal): ServedPolicies {
  const served = new Map<string, string>()
  const { ready } = followed(bus.kv.policies.watch('', signal), ({ key, bytes }) => {
    try {
      if (bytes === null) served.delete(key)
      else served.set(key, readServed(bytes, key).version)
    } catch (error) {
      const { code, message } = toPlain(error)
      onFault(code, message)
    }
  })
  return {
    ready,
    of (model, otherwise) {
      const key = keyOf(model)
      return { current: () => served.get(key) ?? otherwise.current() }
    }
  }
}
