// How sandboxes start: a few at once, and no more in a second than a bucket holds, so that a storm of openings (or of
// openings that fail at once and are tried again) reaches the machine or the engine as a trickle. First come, first served.
// Whoever waits here has not begun: a rollout's budgets start with its first turn.

import { availableParallelism } from 'node:os'

import { SparError } from '../errors.ts'
import { createLimiter } from '../limiter.ts'
import type { Clock } from '../ports.ts'
import { startsBurstSeconds, startsPerCore, startsPerSecondPerCore } from './limits.ts'

export interface StartsOptions {
  atOnce: number
  perSecond: number
  /** Starts that a full bucket allows without a pause. */
  burst: number
  clock: Clock
}

export type Starts = <T> (start: () => Promise<T>, signal?: AbortSignal) => Promise<T>

export function createStarts ({ atOnce, perSecond, burst, clock }: StartsOptions): Starts {
  const slots = createLimiter(atOnce)
  const turns = createLimiter(1)
  const everyMs = 1000 / perSecond
  /** When the bucket is full again. */
  let fullAt = -Infinity

  const take = async (signal?: AbortSignal): Promise<void> => {
    const now = clock.now()
    // A clock that was set back holds nobody up for longer than an empty bucket does.
    fullAt = Math.min(Math.max(fullAt, now), now + burst * everyMs)
    const waitMs = fullAt + everyMs - burst * everyMs - now
    if (waitMs > 0) await clock.sleep(waitMs, signal).catch(() => { throw new SparError('SANDBOX_ABORTED', 'Opening a sandbox was aborted while it waited for its turn', { retryable: true }) })
    fullAt += everyMs
  }

  return async (start, signal) => await slots.run(async () => {
    await turns.run(async () => await take(signal), signal)
    return await start()
  }, signal)
}

/** What this machine affords; `perSecond` in the place of what its cores say. */
export function startsOf (kind: keyof typeof startsPerSecondPerCore, clock: Clock, perSecond = startsPerSecondPerCore[kind] * availableParallelism()): Starts {
  if (!(perSecond > 0)) throw new SparError('SANDBOX_BAD_LIMIT', `Cannot start ${perSecond} sandboxes a second: startsPerSecond is a positive number`)
  return createStarts({ atOnce: startsPerCore * availableParallelism(), perSecond, burst: Math.max(1, Math.ceil(perSecond * startsBurstSeconds)), clock })
}
