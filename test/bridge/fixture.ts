// A service with every kind of call, and both its sides on a bus.

import type { Test } from 'tap'
import { createBridgeClient } from '../../src/bridge/client.ts'
import type { BridgeLimits } from '../../src/bridge/limits.ts'
import { createBridgeServer, type BridgeServer } from '../../src/bridge/server.ts'
import { bidirectional, clientStream, defineService, serverStream, unary, type CallContext, type ClientOf, type HandlersOf } from '../../src/bridge/services.ts'
import { BridgeStatus } from '../../src/bridge/status.ts'
import type { Bus } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'

export const Echo = defineService({
  name: 'Echo',
  methods: {
    say: unary<unknown, unknown>(),
    count: serverStream<{ to: number; bytes?: number }, { index: number; filling: Uint8Array }>(),
    sum: clientStream<unknown, unknown>(),
    chat: bidirectional<unknown, unknown>()
  }
})
export type EchoMethods = typeof Echo.methods

export const echo: HandlersOf<EchoMethods> = {
  say: async request => request,
  async * count ({ to, bytes = 0 }) { for (let index = 0; index < to; index++) yield { index, filling: new Uint8Array(bytes).fill(index) } },
  async sum (requests) {
    let sum = 0
    for await (const request of requests) sum += request as number
    return sum
  },
  async * chat (requests) { for await (const request of requests) yield [request, request] }
}

export interface Bridge { server: BridgeServer; client: ClientOf<EchoMethods>; close (): void }
export interface BridgeSides { serving: Bus; calling: Bus }

export async function openBridge (t: Test, { serving, calling }: BridgeSides, handlers: Partial<HandlersOf<EchoMethods>> = {}, limits: { server?: Partial<BridgeLimits>; client?: Partial<BridgeLimits> } = {}): Promise<Bridge> {
  const server = createBridgeServer({ bus: serving, clock: systemClock, limits: { ...limits.server } })
  t.teardown(() => server.destroy())
  await server.serve(Echo, { ...echo, ...handlers })
  const client = createBridgeClient({ bus: calling, clock: systemClock, limits: { ...limits.client } })
  t.teardown(() => client.close())
  return { server, client: client.of(Echo), close: () => client.close() }
}

/** The status that a call ends with. */
export async function statusOf (call: Promise<unknown> | AsyncIterable<unknown>): Promise<BridgeStatus> {
  try {
    if (Symbol.asyncIterator in call) await all(call)
    else await call
  } catch (error) {
    if (error instanceof BridgeStatus) return error
    throw error
  }
  throw new Error('the call has ended well')
}

export async function all<Value> (values: AsyncIterable<Value>): Promise<Value[]> {
  const read: Value[] = []
  for await (const value of values) read.push(value)
  return read
}

export interface Gate { open (): void; opened: Promise<void> }
export function gate (): Gate {
  let open!: () => void
  return { opened: new Promise(resolve => { open = resolve }), open: () => open() }
}

/** Resolves when nobody waits for a call any more, to why. */
export const aborted = ({ signal }: CallContext): Promise<BridgeStatus> =>
  new Promise(resolve => { if (signal.aborted) resolve(signal.reason as BridgeStatus); else signal.addEventListener('abort', () => resolve(signal.reason as BridgeStatus)) })

/** Values, and then nothing more, without an end. */
export async function * endless (...values: unknown[]): AsyncGenerator<unknown> {
  yield * values
  await new Promise(() => {})
}

export async function until (isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1_000 && !await isSo(); tries++) await systemClock.sleep(10)
}
