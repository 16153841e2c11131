// The queue of the memory bus. Leases are times, not timers: whoever asks for work finds what fell free, and of those who wait
// for it the longest is given the next piece that does.

import { SparError } from '../../errors.ts'
import type { Clock } from '../../ports.ts'
import { onAbort } from '../abort.ts'
import { checkArena, checkKey, checkRun } from '../subjects.ts'
import type { Queue, QueueKind, QueueMessage, WorkSubject } from '../types.ts'

export interface QueueOptions { accept (bytes: Uint8Array): Uint8Array; clock: Clock; ackWaitMs: number; queueBytesMax: number }

export type MemoryQueue = Omit<Queue, 'pull' | 'ackWaitMs'> & {
  /** `closed` is of the connection: when it aborts, nothing more is said of what was taken over it. */
  pull (kind: QueueKind, arena: string, waitMs: number, signal: AbortSignal, closed: AbortSignal): Promise<QueueMessage | null>
}

/** `freeAt`: from when on it may be taken; `turn` is the order of those that fall free at the same time. */
interface Entry { name: string; place: Place; subject: WorkSubject; bytes: Uint8Array; deliveries: number; freeAt: number; turn: number }
interface Waiter { isOver (): boolean; closed: AbortSignal; given: QueueMessage | null; /** When it looks by itself. */ looksAt: number; stir (): void }
/** Entries oldest first, waiters longest first. */
interface Place { entries: Map<string, Entry>; waiters: Set<Waiter> }

/** As a server has it: what came back, in the order in which it fell free; then what nobody had yet, oldest first. */
function isBefore (one: Entry, other: Entry): boolean {
  if (one.deliveries === 0 || other.deliveries === 0) return one.deliveries > 0
  return one.freeAt === other.freeAt ? one.turn < other.turn : one.freeAt < other.freeAt
}

export function createQueue ({ accept, clock, ackWaitMs, queueBytesMax }: QueueOptions): MemoryQueue {
  const places = new Map<string, Place>()
  let bytesKept = 0
  let turns = 0

  const placeOf = (kind: QueueKind, arena: string): Place => {
    const name = `${kind}.${checkArena(arena)}`
    const place = places.get(name) ?? { entries: new Map<string, Entry>(), waiters: new Set<Waiter>() }
    places.set(name, place)
    return place
  }
  const everything = (): Entry[] => [...places.values()].flatMap(({ entries }) => [...entries.values()])
  const drop = (entry: Entry): void => {
    const { entries } = entry.place
    if (entries.get(entry.name) !== entry) return
    bytesKept -= entry.bytes.length
    entries.delete(entry.name)
  }
  const firstFree = ({ entries }: Place): Entry | null => {
    let first: Entry | null = null
    for (const entry of entries.values()) if (entry.freeAt <= clock.now() && (first === null || isBefore(entry, first))) first = entry
    return first
  }
  const lease = (entry: Entry, ms: number): void => {
    entry.freeAt = clock.now() + ms
    entry.turn = ++turns
  }

  /** Gives what is free to those who wait. */
  const hand = (place: Place): void => {
    for (const waiter of place.waiters) {
      if (waiter.isOver()) continue
      const entry = firstFree(place)
      if (entry === null) return
      place.waiters.delete(waiter)
      waiter.given = take(entry, waiter.closed)
      waiter.stir()
    }
  }

  const take = (entry: Entry, closed: AbortSignal): QueueMessage => {
    const delivery = ++entry.deliveries
    const { subject, bytes, name, place } = entry
    let isHeld = true
    const say = (ms: number): void => {
      isHeld &&= !closed.aborted && entry.deliveries === delivery && clock.now() < entry.freeAt
      if (!isHeld) return
      lease(entry, ms)
      hand(place)
      for (const waiter of place.waiters) if (entry.freeAt < waiter.looksAt) waiter.stir()
    }
    lease(entry, ackWaitMs)
    return {
      subject, bytes, delivery,
      async ack () {
        if (closed.aborted) throw new SparError('BUS_CLOSED', `Cannot acknowledge ${name}: the connection was closed`)
        drop(entry)
      },
      working: () => say(ackWaitMs),
      again (delayMs) {
        say(delayMs)
        isHeld = false
      }
    }
  }

  const sleep = ({ entries }: Place, waiter: Waiter, untilMs: number): Promise<void> => new Promise(resolve => {
    waiter.looksAt = untilMs
    for (const { freeAt } of entries.values()) waiter.looksAt = Math.min(waiter.looksAt, freeAt)
    const cancel = clock.after(Math.max(1, waiter.looksAt - clock.now()), resolve)
    waiter.stir = () => {
      cancel()
      resolve()
    }
  })

  return {
    async add (subject, bytes) {
      const place = placeOf(subject.kind, subject.arena)
      const name = `${checkRun(subject.run)}.${checkKey(subject.id)}`
      const kept = accept(bytes)
      if (place.entries.has(name)) return 'present'
      if (bytesKept + kept.length > queueBytesMax) throw new SparError('BUS_FULL', `Cannot queue ${name}: the queue holds its queueBytesMax = ${queueBytesMax} bytes`, { retryable: true })
      bytesKept += kept.length
      place.entries.set(name, { name, place, subject, bytes: kept, deliveries: 0, freeAt: 0, turn: 0 })
      hand(place)
      return 'added'
    },
    async pull (kind, arena, waitMs, signal, closed) {
      const place = placeOf(kind, arena)
      const until = clock.now() + waitMs
      const waiter: Waiter = { isOver: () => signal.aborted || closed.aborted, closed, given: null, looksAt: until, stir () {} }
      place.waiters.add(waiter)
      hand(place)
      const leave = onAbort([signal, closed], () => waiter.stir())
      while (waiter.given === null && !waiter.isOver() && clock.now() < until) {
        await sleep(place, waiter, until)
        if (waiter.given === null) hand(place)
      }
      leave()
      place.waiters.delete(waiter)
      if (waiter.given === null || !waiter.isOver()) return waiter.given
      waiter.given.again(0)
      return null
    },
    async depth (kind, arena) {
      const found = [...placeOf(kind, arena).entries.values()]
      const taken = found.filter(({ deliveries }) => deliveries > 0).length
      return { waiting: found.length - taken, taken }
    },
    async subjects (run) {
      if (run !== undefined) checkRun(run)
      return everything().map(({ subject }) => subject).filter(subject => run === undefined || subject.run === run)
    },
    async purge (run, kinds) {
      checkRun(run)
      for (const entry of everything()) if (entry.subject.run === run && kinds.includes(entry.subject.kind)) drop(entry)
    }
  }
}
