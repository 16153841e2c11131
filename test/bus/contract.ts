// The contract of the bus, run by every implementation: what `src/bus/types.ts` says, case by case.

import type { Test } from 'tap'
import type { Bus, LogEntry, LogName, QueueMessage } from '../../src/bus/types.ts'
import { closeContract } from './contract-close.ts'
import { keyValueContract } from './contract-key-value.ts'
import { logContract } from './contract-log.ts'
import { objectContract } from './contract-objects.ts'
import { queueContract } from './contract-queue.ts'

/** Connections to one bus, of a test of its own: nothing of another test is on it. */
export interface Broker {
  connect (): Promise<Bus>
  /** A reader that keeps its place, as another program makes it. */
  attach (log: LogName, reader: string, prefix: string): Promise<KeptReader>
}
export interface KeptReader { take (most: number): Promise<LogEntry[]>; acknowledge (entry: LogEntry): Promise<void> }
export interface BrokerOptions { ackWaitMs?: number; nodeTtlMs?: number; queueBytesMax?: number; signalsMax?: number }
export type OpenBroker = (t: Test, options?: BrokerOptions) => Promise<Broker>

export function busContract (t: Test, open: OpenBroker): void {
  queueContract(t, open)
  logContract(t, open)
  keyValueContract(t, open)
  objectContract(t, open)
  closeContract(t, open)
}

export const text = (value: string): Uint8Array => Buffer.from(value)
export const read = (bytes: Uint8Array | null | undefined): string | null => bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString('utf8')
export const never = (): AbortSignal => new AbortController().signal

/** What is on the queue for rollouts of the arena `a`, within a while. */
export const pull = async (bus: Bus, waitMs = 10_000): Promise<QueueMessage | null> => await bus.queue.pull('rollout', 'a', { waitMs, signal: never() })

/** The next `count` values of an iteration that goes on. */
export async function take<T> (values: AsyncIterator<T>, count: number): Promise<T[]> {
  const taken: T[] = []
  while (taken.length < count) {
    const { value, done } = await values.next()
    if (done === true) throw new Error(`the iteration ended after ${taken.length} of ${count} values`)
    taken.push(value)
  }
  return taken
}

export const iterate = <T>(values: AsyncIterable<T>): AsyncIterator<T> => values[Symbol.asyncIterator]()
