// The attempts that are open, and their endings. An attempt opens with its first call and ends once: when whoever ran the agent
// says so, when it has been quiet for long and its place is needed, or when the proxy ends.
//
// 1. A record is written before an attempt counts as finished. Where it cannot be written, the attempt takes no more calls and
//    can be finished again.
// 2. What is finished is never opened again: its record stands.

import type { Outcome } from '../../../domain.ts'
import { fault } from './faults.ts'
import { createAttempt, type Attempt, type AttemptOptions } from './attempt.ts'
import type { RolloutRecord } from '../../../rollout/record.ts'
import { recordOfAttempt, type Records } from './record.ts'

/** What an attempt came to. */
export interface Finished {
  rollout: string
  attempt: number
  /** Where its record is. */
  record: string
  outcome: Outcome
  reward: number | null
  calls: number
  /** Calls that were not answered. */
  failed: number
  conversations: number
  segments: number
  /** Causes of the segments that were not gone on from. */
  breaks: Record<string, number>
  untrainable: string | null
}

export interface AttemptsOptions extends Omit<AttemptOptions, 'rollout' | 'attempt'> { run: string; records: Records; onFinished: (finished: Finished) => void }

/** How an attempt ended, as whoever ran the agent says it. `outcome` null: `scored` where a call was answered, else `infra_fault`. */
export interface Ending { outcome: Outcome | null; reward: number | null }

export interface Attempts {
  readonly open: number
  readonly inFlight: number
  /** The attempt, opened where it is not. Rejects with PROXY_FINISHED, PROXY_FULL and PROXY_CLOSED. */
  enter (rollout: string, attempt: number): Promise<Attempt>
  /** Rejects with PROXY_FINISHED, and with STORE_WRITE_FAILED: then it can be finished again. */
  finish (rollout: string, attempt: number, ending: Ending): Promise<Finished>
  /** Takes no more calls, and waits until those under way are over. */
  settled (): Promise<void>
  /** Ends every attempt that is open as cancelled; says why those were not written that were not. */
  finishAll (): Promise<unknown[]>
}

export function createAttempts ({ run, records, onFinished, ...options }: AttemptsOptions): Attempts {
  const { clock, limits, server, settings } = options
  const open = new Map<string, Attempt>()
  const ending = new Map<string, Promise<Finished>>()
  const finished = new Set<string>()
  let isRefusing = false

  const keyOf = (rollout: string, attempt: number): string => `${rollout}.${attempt}`
  const isFinished = (rollout: string, attempt: number): boolean => ending.has(keyOf(rollout, attempt)) || finished.has(keyOf(rollout, attempt)) || (!open.has(keyOf(rollout, attempt)) && records.has(rollout, attempt))
  const requireOpen = (what: string, rollout: string, attempt: number): void => {
    if (isFinished(rollout, attempt)) throw fault('PROXY_FINISHED', `Cannot ${what} ${rollout}, attempt ${attempt}: it is finished. Play it again as attempt ${attempt + 1}`)
  }

  const requireTaking = (): void => { if (isRefusing) throw fault('PROXY_CLOSED', 'Cannot take a call: the proxy is about to end') }

  const openOne = (rollout: string, attempt: number): Attempt => {
    const created = createAttempt({ ...options, rollout, attempt })
    open.set(keyOf(rollout, attempt), created)
    return created
  }

  const remember = (key: string): void => {
    open.delete(key)
    finished.add(key)
    if (finished.size > limits.finishedMax) finished.delete(finished.values().next().value!)
  }

  const write = async (attempt: Attempt, { outcome, reward }: Ending): Promise<Finished> => {
    await attempt.stop()
    const record = recordOfAttempt(attempt, { outcome: outcome ?? (attempt.messages.length > 0 ? 'scored' : 'infra_fault'), reward }, { run, policy: { name: server.model, version: settings.version }, endedAt: clock.now() })
    const path = await records.write(record)
    const finished = finishedOf(record, path, attempt.conversations)
    remember(keyOf(attempt.rollout, attempt.attempt))
    onFinished(finished)
    return finished
  }

  const end = (attempt: Attempt, how: Ending): Promise<Finished> => {
    const key = keyOf(attempt.rollout, attempt.attempt)
    const written = write(attempt, how).finally(() => ending.delete(key))
    ending.set(key, written)
    return written
  }

  /** Makes room by ending the attempt that has been quiet for longest, where that is long enough. */
  const makeRoom = async (): Promise<void> => {
    const quiet = [...open.values()].filter(attempt => attempt.inFlight === 0 && clock.now() - attempt.usedAt >= limits.idleMsMax && !ending.has(keyOf(attempt.rollout, attempt.attempt)))
    const longest = quiet.reduce<Attempt | null>((best, other) => best === null || other.usedAt < best.usedAt ? other : best, null)
    if (longest !== null) await end(longest, { outcome: 'cancelled', reward: null })
  }

  return {
    get open () { return open.size },
    get inFlight () { return [...open.values()].reduce((sum, attempt) => sum + attempt.inFlight, 0) },
    async enter (rollout, attempt) {
      requireTaking()
      requireOpen('take a call for', rollout, attempt)
      const known = open.get(keyOf(rollout, attempt))
      if (known !== undefined) return known
      if (open.size >= limits.attemptsMax) await makeRoom()
      requireTaking()
      if (open.size >= limits.attemptsMax) throw fault('PROXY_FULL', `Cannot open ${rollout}, attempt ${attempt}: ${open.size} attempts are open, as many as attemptsMax allows. Finish some`)
      return open.get(keyOf(rollout, attempt)) ?? openOne(rollout, attempt)
    },
    async finish (rollout, attempt, how) {
      requireOpen('finish', rollout, attempt)
      // An agent that never asked anything has a record too: it says so.
      return await end(open.get(keyOf(rollout, attempt)) ?? openOne(rollout, attempt), how)
    },
    async settled () {
      isRefusing = true
      await Promise.all([...open.values()].map(attempt => attempt.settled()))
    },
    async finishAll () {
      isRefusing = true
      const endings = [...open.values()].map(attempt => ending.get(keyOf(attempt.rollout, attempt.attempt)) ?? end(attempt, { outcome: 'cancelled', reward: null }))
      return (await Promise.allSettled(endings)).flatMap(ending => ending.status === 'rejected' ? [ending.reason as unknown] : [])
    }
  }
}

function finishedOf ({ rollout_id: rollout, attempt, outcome, reward, calls, segments, untrainable }: RolloutRecord, record: string, conversations: number): Finished {
  const breaks: Record<string, number> = {}
  for (const { break_reason: reason } of segments) if (reason !== null) breaks[reason] = (breaks[reason] ?? 0) + 1
  return { rollout, attempt, record, outcome, reward, calls: calls.length, failed: calls.filter(call => call.error !== null).length, conversations, segments: segments.length, breaks, untrainable }
}
