// Buckets and objects on JetStream's own: revisions are sequences of the bucket's stream.

import type { KV, ObjectStore } from 'nats'
import { SparError } from '../../errors.ts'
import { isBelow } from '../keys.ts'
import { checkKey } from '../subjects.ts'
import type { KeyEntry, KeyValue, Objects } from '../types.ts'
import { apiCode, busError, jetStreamErrors, told } from './errors.ts'
import { checkSize, type Link } from './link.ts'

export function createKeyValue (link: Link, bucket: string, kv: KV): KeyValue {
  return {
    async get (key) {
      const entry = await told(`read ${key}`, () => kv.get(checkKey(key)))
      return entry === null || entry.operation !== 'PUT' ? null : { bytes: entry.value, revision: entry.revision }
    },
    async put (key, bytes) {
      checkSize(link, bytes, key)
      return await told(`write ${key}`, () => kv.put(checkKey(key), bytes))
    },
    async update (key, bytes, revision) {
      checkSize(link, bytes, key)
      try {
        return revision === 0 ? await kv.create(checkKey(key), bytes) : await kv.update(checkKey(key), bytes, revision)
      } catch (error) {
        if (apiCode(error) === jetStreamErrors.wrongLastSequence) throw new SparError('BUS_CONFLICT', `Cannot write ${key} over revision ${revision}: somebody else has written it`)
        throw busError(error, `write ${key}`)
      }
    },
    async remove (key) { await told(`remove ${key}`, () => kv.delete(checkKey(key))) },
    watch: (prefix, signal) => watch(kv, bucket, prefix, AbortSignal.any([signal, link.closed]))
  }
}

async function * watch (kv: KV, bucket: string, prefix: string, signal: AbortSignal): AsyncGenerator<KeyEntry | null> {
  const waiting: (KeyEntry | null)[] = []
  let wake = (): void => {}
  const push = (entry: KeyEntry | null): void => { waiting.push(entry); wake() }
  const updates = await told(`watch ${bucket}`, () => kv.watch({ initializedFn: () => push(null) }))
  let failure: unknown = null
  let isOver = false
  void (async () => {
    for await (const { key, value, operation, revision } of updates) if (isBelow(key, prefix)) push({ key, bytes: operation === 'PUT' ? value : null, revision })
  })().catch((error: unknown) => { failure = error }).finally(() => { isOver = true; wake() })
  const stop = (): void => { updates.stop(); wake() }
  signal.addEventListener('abort', stop)
  try {
    while (!signal.aborted) {
      if (waiting.length > 0) yield waiting.shift()!
      else if (isOver) throw busError(failure ?? new Error('the watch ended'), `watch ${bucket}`)
      else await new Promise<void>(resolve => { wake = resolve })
    }
  } finally {
    signal.removeEventListener('abort', stop)
    updates.stop()
  }
}

export function createObjects (store: ObjectStore): Objects {
  return {
    async put (name, bytes) {
      await told(`keep ${name}`, async () => {
        const known = await store.info(checkKey(name))
        if (known === null || known.deleted) await store.putBlob({ name }, bytes)
      })
    },
    get: async name => await told(`read ${name}`, () => store.getBlob(checkKey(name))),
    async remove (name) { await told(`remove ${name}`, () => store.delete(checkKey(name))) }
  }
}
