// The quota of the streams: set to what they hold, so that whoever writes is told that the bus is full, and back again.

import { connect, type NatsConnection } from 'nats'
import { createNames } from '../../src/bus/subjects.ts'
import { logs } from '../../src/bus/types.ts'
import { sleep } from './processes.ts'
import type { NatsServer } from './servers.ts'

export interface Quota { hit (): Promise<void>; restore (): Promise<void> }

const answerMsMax = 2_000
/** The server may be away when the quota is to be set or lifted: another fault has it, and starts it again. */
const retryMs = 200

export function quotaOf (servers: readonly NatsServer[]): Quota {
  const names = createNames('spar')
  const streams = [names.workStream, ...logs.map(names.logStream), names.objectStream]
  const before = new Map<string, number>()

  async function change (stream: string, nc: NatsConnection, bytesOf: (held: number) => number): Promise<void> {
    const jsm = await nc.jetstreamManager({ checkAPI: false, timeout: answerMsMax })
    const { config, state } = await jsm.streams.info(stream)
    if (!before.has(stream)) before.set(stream, config.max_bytes)
    await jsm.streams.update(stream, { max_bytes: bytesOf(state.bytes) })
  }

  async function changeAll (bytesOf: (stream: string, held: number) => number): Promise<void> {
    const nc = await connect({ servers: servers.map(({ url }) => url), timeout: answerMsMax, maxReconnectAttempts: 0 })
    try {
      for (const stream of streams) await change(stream, nc, held => bytesOf(stream, held))
    } finally { await nc.close() }
  }

  async function patiently (bytesOf: (stream: string, held: number) => number): Promise<void> {
    for (;;) {
      try {
        return await changeAll(bytesOf)
      } catch { await sleep(retryMs) }
    }
  }

  return {
    // A stream that holds nothing yet takes one byte: none at all would mean no limit.
    hit: () => patiently((_, held) => Math.max(1, held)),
    restore: () => patiently(stream => before.get(stream)!)
  }
}
