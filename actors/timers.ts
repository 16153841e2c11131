// The clock of the ports as the clock of machines.

import type { Clock } from '../src/ports.ts'

export interface Timers { setTimeout (call: (...given: unknown[]) => void, delayMs: number): number; clearTimeout (id: number): void }

/** A delay that is cancelled leaves no timer. */
export function timersOf (clock: Clock): Timers {
  const timers = new Map<number, AbortController>()
  let last = 0
  return {
    setTimeout (call, delayMs) {
      const id = ++last
      const abort = new AbortController()
      timers.set(id, abort)
      clock.sleep(delayMs, abort.signal).then(() => { if (timers.delete(id)) call() }, () => {})
      return id
    },
    clearTimeout (id) {
      const timer = timers.get(id)
      timers.delete(id)
      timer?.abort()
    }
  }
}
