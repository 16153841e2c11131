// The clock of the ports as the clock of machines.

import type { Clock } from '../src/ports.ts'

export interface Timers { setTimeout (call: (...given: unknown[]) => void, delayMs: number): number; clearTimeout (id: number): void }

/** A delay that is cancelled leaves no timer. */
export function timersOf (clock: Clock): Timers {
  const cancels = new Map<number, () => void>()
  let last = 0
  return {
    setTimeout (call, delayMs) {
      const id = ++last
      cancels.set(id, clock.after(delayMs, () => {
        cancels.delete(id)
        call()
      }))
      return id
    },
    clearTimeout (id) {
      cancels.get(id)?.()
      cancels.delete(id)
    }
  }
}
