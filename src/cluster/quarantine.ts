// Work in quarantine: what it is, why, and how it comes back onto the queue.

import { upToNow } from '../bus/now.ts'
import type { Bus } from '../bus/types.ts'
import { episodeIdOf, numberOfWork } from '../run/draw.ts'
import { openWork } from './cancel.ts'
import { pack } from './codec.ts'
import { changeDocument, getDocument, isGivenUp, type RunDocument } from './document.ts'
import { anyArena, backKey, readRecordKey, recordKey } from './keys.ts'
import { askTimesBack, outcomesOf } from './outcomes.ts'
import { readEnding, type Failure } from './records.ts'
import type { Retry } from './retry.ts'
import { askToLead, isLed } from './submit.ts'
import { SparError } from '../errors.ts'

/** `sequence`: of its ending in the log. */
export interface Quarantined { work: string; sequence: number; code: string; reason: string; deliveries: number; failures: Failure[] }

export async function listQuarantine (bus: Bus, run: string): Promise<Quarantined[]> {
  const found: Quarantined[] = []
  for await (const entry of upToNow(signal => bus.log.records.follow(`${run}.work`, signal))) {
    const name = readRecordKey(entry.key)
    if (name?.kind !== 'work' || name.entry !== 'ended') continue
    const ending = readEnding(entry.bytes, entry.key)
    if (ending.kind === 'quarantined') found.push({ work: name.work, sequence: entry.sequence, code: ending.code, reason: ending.reason, deliveries: ending.delivery, failures: ending.failures })
  }
  return found
}

/**
 * Episodes that an earlier call left half put back: with open work beside an outcome, or put back and without one though nobody leads
 * the run. Null where there is nothing to do; none where there is only somebody to be asked to lead the run. Not for a run that was given up.
 */
export async function halfPutBack (bus: Bus, run: string, { state }: Pick<RunDocument, 'state'>): Promise<string[] | null> {
  const isInHand = state !== 'done' && await isLed(bus, run)
  const withOpen = new Set((await openWork(bus, `${run}.work`)).map(work => episodeIdOf(numberOfWork(work))))
  const outcomes = await outcomesOf(bus, run)
  const left = [...new Set([...[...withOpen].filter(episode => outcomes.values.has(episode)), ...isInHand ? [] : outcomes.open()])]
  return left.length === 0 && (isInHand || state === 'done') ? null : left
}

/**
 * Puts work back: its ending and failures are removed, and its episode is played on from what had finished. A reward that was
 * published stays; rollouts without one get another sample. A call that ends in its middle is done to its end by the next one. What a
 * node still writes that was cut off while it ended such an episode counts for nobody. Returns the episodes. Throws RUN_FINAL for
 * a run that was cancelled or has failed.
 */
export async function resubmit (bus: Bus, retry: Retry, run: string, works: readonly Quarantined[]): Promise<string[]> {
  const document = await getDocument(bus, run)
  if (isGivenUp(document.state)) {
    // By somebody who was stopped when the run was given up: whoever leads it once more ends what is open.
    if ((await openWork(bus, `${run}.work`)).length > 0) await retry(() => askToLead(bus, run))
    throw new SparError('RUN_FINAL', `Cannot submit work of ${run} again: the run is ${document.state}. Submit a new run`)
  }
  const { records } = bus.log
  const half = await halfPutBack(bus, run, document)
  if (works.length === 0 && half === null) return []
  const episodes = [...new Set([...works.map(({ work }) => episodeIdOf(numberOfWork(work))), ...half ?? []])]
  for (const { work, sequence, failures } of works) {
    for (const { delivery } of failures) await retry(() => records.remove(recordKey(run, work, `failed.${delivery}`)))
    // This ending and no later one: somebody else may have put the work back, and it may have ended again.
    await retry(() => records.remove(recordKey(run, work, 'ended'), sequence))
  }
  for (const episode of episodes) {
    const times = await askTimesBack(bus, retry, run, episode) + 1
    await retry(() => records.create(backKey(run, episode, times), pack({})))
  }
  await retry(() => changeDocument(bus, run, document => document.state === 'done' ? { ...document, state: 'running' } : null))
  for (const episode of episodes) await retry(() => bus.queue.add({ kind: 'episode', arena: anyArena, run, id: episode }, Buffer.from('{}')))
  await retry(() => askToLead(bus, run))
  return episodes
}
