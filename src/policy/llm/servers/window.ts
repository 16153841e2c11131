// How many turns one endpoint gets at a time. It grows while all of it is used: fast until the first sign that it is enough,
// then by one for each round. It shrinks by half for a 429, and to what the endpoint really runs, and a tenth more, where its
// metrics say that turns wait there: a turn that waits there only makes the next ones late, but an empty queue lets it idle.

import type { Load } from './metrics.ts'
import type { ServerLimits } from './limits.ts'

export interface Window {
  /** Turns at a time, a whole number from 1. */
  readonly size: number
  /** A turn ended well, with so many under way, itself included. */
  succeed (active: number): void
  /** 429: too much. */
  refuse (now: number): void
  /** What the endpoint's metrics say, with so many of our turns under way. */
  observe (load: Load, active: number): void
}

const slack = 1.1

export function createWindow (limits: ServerLimits): Window {
  let size = Math.min(limits.concurrencyStart, limits.concurrencyMax)
  let isStarting = true
  let isPressed = false
  let refusedAt = -Infinity

  const set = (value: number): void => { size = Math.min(limits.concurrencyMax, Math.max(1, value)) }

  return {
    get size () { return Math.floor(size) },
    succeed (active) {
      if (isPressed || active < Math.floor(size)) return
      set(size + (isStarting ? 1 : 1 / size))
    },
    refuse (now) {
      isStarting = false
      // One burst of refusals is one sign.
      if (now - refusedAt < limits.shrinkMsMin) return
      refusedAt = now
      set(size / 2)
    },
    observe ({ waiting, kvUsage }, active) {
      const runs = Math.max(0, active - waiting)
      const isFull = kvUsage !== null && kvUsage >= limits.kvUsageMax
      isPressed = waiting > 0 || isFull
      if (!isPressed) return
      isStarting = false
      if (waiting > runs * (slack - 1)) set(Math.min(size, Math.ceil(runs * slack)))
      // Turns that were begun go on growing, and a full cache makes the server throw some out and begin them again.
      else if (isFull) set(Math.min(size, active * 0.9))
    }
  }
}
