// A call of the bus that is tried again while the bus is away or full: back-pressure, and then recovery. Safe, since what is
// written twice is written once (B1 of the bus).

import { SparError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { clusterLimits } from './limits.ts'

export type Retry = <T>(call: () => Promise<T>, signal?: AbortSignal) => Promise<T>

export function createRetry (clock: Clock, limits: Pick<typeof clusterLimits, 'retryMsMin' | 'retryMsMax' | 'retryForMs'> = clusterLimits): Retry {
  return async (call, signal) => {
    const until = clock.now() + limits.retryForMs
    for (let pauseMs = limits.retryMsMin; ; pauseMs = Math.min(2 * pauseMs, limits.retryMsMax)) {
      try {
        return await call()
      } catch (error) {
        const isWorthIt = error instanceof SparError && error.retryable && error.code.startsWith('BUS_') && clock.now() + pauseMs < until
        if (!isWorthIt || signal?.aborted === true) throw error
        await clock.sleep(pauseMs, signal)
      }
    }
  }
}
