// The queue of the memory bus. Leases are times, not timers: whoever asks for work finds what fell free, and whoever waits for
// it wakes when the next piece does.

import { SparError } from '../../errors.ts'
import type { Clock } from '../../ports.ts'
import { linked } from '../abort.ts'
import { checkArena, checkKey, checkRun } from '../subjects.ts'
import type { Queue, QueueKind, QueueMessage, WorkSubject } from '../types.ts'

export interface QueueOptions { accept (bytes: Uint8Array): Uint8Array; clock: Clock; ackWaitMs: number; queueBytesMax: number }

export type MemoryQueue = Omit<Queue, 'pull' | 'ackWaitMs'> & { pull (kind: QueueKind, arena: string, waitMs: number, signals: readonly AbortSignal[]): Promise<QueueMessage | null> }

/** `freeAt`: from when on it may be taken. */
interface Entry { subject: WorkSubject; bytes: Uint8Array; deliveries: number; isHeld: boolean; freeAt: number }

const nameOf = ({ kind, arena, run, id }: WorkSubject): string => [kind, checkArena(arena), checkRun(run), checkKey(id)].join('.')

export function createQueue ({ accept, clock, ackWaitMs, queueBytesMax }: QueueOptions): MemoryQueue {
  /** Oldest first. */
  const entries = new Map<string, Entry>()
  const waiters = new Set<AbortController>()
  let bytesKept = 0

  const wake = (): void => { for (const waiter of [...waiters]) waiter.abort() }
  const drop = (name: string, entry: Entry): void => {
    if (entries.get(name) !== entry) return
    bytesKept -= entry.bytes.length
    entries.delete(name)
  }
  const at = (kind: QueueKind, arena: string): Entry[] => [...entries.values()].filter(({ subject }) => subject.kind === kind && subject.arena === arena)

  const take = (entry: Entry): QueueMessage => {
    const delivery = ++entry.deliveries
    const { subject, bytes } = entry
    const until = (ms: number, isHeld: boolean): void => {
      if (!entry.isHeld || entry.deliveries !== delivery) return
      entry.isHeld = isHeld
      entry.freeAt = clock.now() + ms
      wake()
    }
    entry.isHeld = true
    until(ackWaitMs, true)
    return { subject, bytes, delivery, async ack () { drop(nameOf(subject), entry) }, working: () => until(ackWaitMs, true), again: delayMs => until(delayMs, false) }
  }

  const sleep = async (untilMs: number, signals: readonly AbortSignal[]): Promise<void> => {
    const { controller, leave } = linked(signals)
    waiters.add(controller)
    await clock.sleep(Math.max(1, untilMs - clock.now()), controller.signal).catch(() => {})
    waiters.delete(controller)
    leave()
  }

  return {
    async add (subject, bytes) {
      const name = nameOf(subject)
      const kept = accept(bytes)
      if (entries.has(name)) return 'present'
      if (bytesKept + kept.length > queueBytesMax) throw new SparError('BUS_FULL', `Cannot queue ${name}: the queue holds its queueBytesMax = ${queueBytesMax} bytes`, { retryable: true })
      bytesKept += kept.length
      entries.set(name, { subject, bytes: kept, deliveries: 0, isHeld: false, freeAt: 0 })
      wake()
      return 'added'
    },
    async pull (kind, arena, waitMs, signals) {
      checkArena(arena)
      const until = clock.now() + waitMs
      for (;;) {
        if (signals.some(({ aborted }) => aborted)) return null
        const found = at(kind, arena)
        const free = found.find(({ freeAt }) => freeAt <= clock.now())
        if (free !== undefined) return take(free)
        if (clock.now() >= until) return null
        await sleep(found.reduce((first, { freeAt }) => Math.min(first, freeAt), until), signals)
      }
    },
    async depth (kind, arena) {
      const found = at(kind, checkArena(arena))
      const taken = found.filter(({ deliveries }) => deliveries > 0).length
      return { waiting: found.length - taken, taken }
    },
    async subjects (run) {
      if (run !== undefined) checkRun(run)
      return [...entries.values()].map(({ subject }) => subject).filter(subject => run === undefined || subject.run === run)
    },
    async purge (run) {
      checkRun(run)
      for (const [name, entry] of [...entries]) if (entry.subject.run === run) drop(name, entry)
    }
  }
}
