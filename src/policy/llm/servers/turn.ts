// The bounds of one turn: the caller's signal and our deadline, as one signal. What an abort was is asked here afterwards.

import type { Clock } from '../../../ports.ts'
import { SparError } from '../../../errors.ts'
import { cancelled, fault } from './faults.ts'

export interface Turn {
  readonly signal: AbortSignal
  readonly endsAt: number
  /** What was thrown, or what the abort behind it was. */
  explain (thrown: unknown): unknown
  close (): void
}

export function openTurn (clock: Clock, msMax: number, signal: AbortSignal): Turn {
  const controller = new AbortController()
  let isLate = false
  const stop = (): void => controller.abort()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  clock.sleep(msMax, controller.signal).then(() => { isLate = true; stop() }, () => {})
  const late = (): SparError => fault('SERVER_TIMEOUT', 'finish the turn', `it took longer than ${msMax} ms`)
  return {
    signal: controller.signal,
    endsAt: clock.now() + msMax,
    explain: thrown => {
      if (!controller.signal.aborted) return thrown
      // What the server said before its time was up is told as it is.
      if (thrown instanceof SparError && thrown.code !== 'ABORTED') return thrown
      return isLate ? late() : cancelled()
    },
    close () {
      signal.removeEventListener('abort', stop)
      stop()
    }
  }
}
