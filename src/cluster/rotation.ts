// Which place a free slot waits at next, when a node serves several arenas.
//
// O1. A place that gave nothing is quiet. Slots go to places that are not quiet, the one with the fewest waiters first; a quiet
//     place is only asked in passing, every `probeMs`, so that it costs no slot.
// O2. When all are quiet, slots spread over them and wait.

import type { QueueKind } from '../bus/types.ts'
import { clusterLimits } from './limits.ts'

export interface Place { kind: QueueKind; arena: string }
export interface Turn { place: Place; waitMs: number; /** Once the wait is over: whether it gave work. */ end (gave: boolean): void }

export interface Rotation {
  setPlaces (places: readonly Place[]): void
  /** Null while there is no place. */
  next (): Turn | null
}

interface Known { place: Place; waiters: number; isQuiet: boolean; askedAt: number }
type RotationLimits = Pick<typeof clusterLimits, 'pullMs' | 'pullSharedMs' | 'probeMs'>

export function createRotation (now: () => number, limits: RotationLimits = clusterLimits): Rotation {
  let places: Known[] = []
  const turnAt = (known: Known, waitMs: number): Turn => {
    known.waiters++
    known.askedAt = now()
    return { place: known.place, waitMs, end: gave => { known.waiters--; known.isQuiet = !gave } }
  }
  const leastAsked = (some: readonly Known[]): Known | null => some.reduce<Known | null>((best, one) =>
    best === null || one.waiters < best.waiters || (one.waiters === best.waiters && one.askedAt < best.askedAt) ? one : best, null)
  return {
    setPlaces (wanted) {
      places = wanted.map(place => places.find(known => known.place.kind === place.kind && known.place.arena === place.arena) ?? { place, waiters: 0, isQuiet: false, askedAt: 0 })
    },
    next () {
      const loud = leastAsked(places.filter(({ isQuiet }) => !isQuiet))
      const waitMs = places.length === 1 ? limits.pullMs : limits.pullSharedMs
      if (loud === null) {
        const quiet = leastAsked(places)
        return quiet && turnAt(quiet, waitMs)
      }
      const due = leastAsked(places.filter(({ isQuiet, waiters, askedAt }) => isQuiet && waiters === 0 && now() - askedAt >= limits.probeMs))
      return due === null ? turnAt(loud, waitMs) : turnAt(due, 0)
    }
  }
}
