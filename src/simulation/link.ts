// The way between one process and the bus: a connection, as TCP is one. What is sent arrives in order, later; what is sent while it is cut
// is lost, but for what the receiver asks for again (`surely`).

import type { Random } from '../ports.ts'
import type { Fates } from './faults.ts'
import type { VirtualTime } from './time.ts'

/** `out`: to the bus. */
export type Way = 'out' | 'in'

export interface Link {
  /** Calls when it arrives; `lost` at once where it will not. */
  send (way: Way, call: () => void, lost?: () => void): void
  /** Calls when it arrives: what is under way when the link is cut is sent again once it is mended. */
  surely (way: Way, call: () => void): void
  cut (ways: readonly Way[]): void
  mend (): void
  isCut (way: Way): boolean
}

export interface LinkOptions {
  time: VirtualTime
  random: Random
  fates: Pick<Fates, 'strikes'>
  /** Of a message one way, milliseconds: the least, and how much more at most. */
  latency: { min: number; spread: number }
  /** Of a message that is delayed: how much longer it takes. */
  delayFactor?: number
}

export function createLink ({ time, random, fates, latency, delayFactor = 100 }: LinkOptions): Link {
  const cutWays = new Set<Way>()
  /** When the last one arrives. */
  const last: Record<Way, number> = { out: 0, in: 0 }
  /** What arrives for sure, in order; and how many of them came while the way was cut. */
  const sure: Record<Way, (() => void)[]> = { out: [], in: [] }
  const owed: Record<Way, number> = { out: 0, in: 0 }

  const arrive = (way: Way): number => {
    const ms = (latency.min + latency.spread * random.next()) * (fates.strikes('delay') ? delayFactor : 1)
    const at = Math.ceil(time.now() + ms)
    if (fates.strikes('reorder')) return at
    return last[way] = Math.max(last[way], at)
  }

  const giveNext = (way: Way): void => {
    if (cutWays.has(way)) owed[way]++
    else sure[way].shift()!()
  }
  const later = (way: Way): void => {
    last[way] = Math.max(last[way], Math.ceil(time.now() + latency.min + latency.spread * random.next()))
    time.at(last[way], () => giveNext(way))
  }

  return {
    send (way, call, lost) {
      if (cutWays.has(way) || fates.strikes('loss')) lost?.()
      else time.at(arrive(way), call)
    },
    surely (way, call) {
      sure[way].push(call)
      later(way)
    },
    cut (ways) { for (const way of ways) cutWays.add(way) },
    mend () {
      cutWays.clear()
      for (const way of ['out', 'in'] as const) {
        for (; owed[way] > 0; owed[way]--) later(way)
      }
    },
    isCut: way => cutWays.has(way)
  }
}
