// Servers of one kind and those who wait for them, first come first served.

import { createFifo } from '../fifo.ts'
import { createLevel, createSpread, type Level, type Spread } from './meters.ts'

export interface Station {
  /** `start` is called when a server is free: at once, or later. It gets the way to leave. */
  enter (start: (leave: () => void) => void): void
}

export interface Shared { now: () => number; /** Servers that are busy, over all stations of the kind. */ busy: Level; /** Seconds waited. */ waits: Spread }

export const shareMeters = (now: () => number): Shared => ({ now, busy: createLevel(now), waits: createSpread() })

export function createStation (servers: number, { now, busy, waits }: Shared): Station {
  const queue = createFifo<{ start: (leave: () => void) => void; since: number }>()
  let taken = 0
  const begin = (start: (leave: () => void) => void, since: number): void => {
    taken++
    busy.add(1)
    waits.add(now() - since)
    start(leave)
  }
  function leave (): void {
    taken--
    busy.add(-1)
    const next = queue.shift()
    if (next !== undefined) begin(next.start, next.since)
  }
  return {
    enter (start) {
      if (taken < servers) begin(start, now())
      else queue.push({ start, since: now() })
    }
  }
}
