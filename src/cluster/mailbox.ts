// The work of one episode, as its owner sees it: what it puts on the queue, and the endings that come back, whoever wrote
// them. Endings are followed from the start, so that a new owner knows what had finished before it came.

import { followed, type Followed } from '../bus/now.ts'
import type { Bus } from '../bus/types.ts'
import type { Work, WorkEnding } from '../bus/work.ts'
import type { Clock } from '../ports.ts'
import { queueKindOf, readRecordKey, workPrefix } from './keys.ts'
import type { FindEnding } from './episodes.ts'
import { readEndingResult, type Committed, type Ending, type Records } from './records.ts'
import type { Retry } from './retry.ts'

export interface MailboxPorts { bus: Bus; retry: Retry; records: Records; clock: Clock; readdMs: number }

export interface Mailbox extends Pick<Followed, 'broken'> {
  /** Puts work on the queue once, and resolves to its ending; not at all where the mailbox is broken or its signal aborts. */
  add (work: Work): Promise<WorkEnding>
  find: FindEnding
  /** Resolves when nothing is being put on the queue: what the ledger will know, it knows. */
  rest (): Promise<void>
}

/** `arena` is where the work is done. Resolves when everything that was there is known; ends with the signal. */
export async function openMailbox ({ bus, retry, records, clock, readdMs }: MailboxPorts, { run, episode, arena }: { run: string; episode: string; arena: string }, signal: AbortSignal): Promise<Mailbox> {
  const endings = new Map<string, Ending>()
  const waiting = new Map<string, { work: Work; end (ending: Ending): void }>()
  const keyOf = (work: string, entry: Committed): string => `${entry} ${work}`

  const keep = (key: string, bytes: Uint8Array): void => {
    const name = readRecordKey(key)
    if (name?.kind !== 'work' || (name.entry !== 'ended' && name.entry !== 'kept')) return
    const at = keyOf(name.work, name.entry)
    const ending = records.read(key, bytes)
    endings.set(at, ending)
    waiting.get(at)?.end(ending)
    waiting.delete(at)
  }

  const putting = new Set<Promise<void>>()
  async function put (work: Work): Promise<void> {
    const placed = place(work).finally(() => putting.delete(placed))
    putting.add(placed)
    await placed
  }

  /** In this order: what waits on the queue is in the ledger, so that whoever empties the queue knows what it took away. */
  async function place (work: Work): Promise<void> {
    await records.dispatch(run, work.id, { kind: work.kind, arena, at: clock.now() })
    // An owner that was stopped meanwhile would leave it on the queue of a run that has ended.
    if (endings.has(keyOf(work.id, 'ended'))) return
    await retry(() => bus.queue.add({ kind: queueKindOf(work.kind), arena, run, id: work.id }, Buffer.from(JSON.stringify(work.payload))), signal)
  }

  /** What is waited for is put on the queue again now and then, where it changes nothing unless the bus has lost it. */
  async function putAgain (): Promise<never> {
    while (!signal.aborted) {
      await clock.sleep(readdMs, signal).catch(() => {})
      if (!signal.aborted) for (const { work } of [...waiting.values()]) await put(work)
    }
    return await new Promise<never>(() => {})
  }

  const { ready, broken } = followed(bus.log.records.follow(workPrefix(run, episode), signal), ({ key, bytes }) => keep(key, bytes))
  await ready
  return {
    broken: Promise.race([broken, putAgain()]),
    rest: async () => { await Promise.allSettled(putting) },
    find: async (work, entry) => endings.get(keyOf(work, entry)) ?? await records.ending(run, work, entry),
    async add (work) {
      const at = keyOf(work.id, 'ended')
      const there = endings.get(at)
      if (there !== undefined) return await workEnding(there)
      const ended = new Promise<Ending>(resolve => { waiting.set(at, { work, end: resolve }) })
      await put(work)
      return await workEnding(await ended)
    }
  }

  async function workEnding (ending: Ending): Promise<WorkEnding> {
    const deliveries = ending.delivery
    if (ending.kind === 'settled') return { kind: 'settled', result: await readEndingResult(bus, retry, ending), deliveries }
    if (ending.kind === 'cancelled') return { kind: 'cancelled', reason: ending.reason, deliveries }
    return { kind: 'quarantined', code: ending.code, reason: ending.reason, deliveries }
  }
}
