// Which place a free slot waits at next: the one with the fewest waiters, of those the one that was longest without. With at
// most as many places as slots every place has a waiter; with more they take turns, so that a full place starves no other.

import type { QueueKind } from '../bus/types.ts'
import { clusterLimits } from './limits.ts'

export interface Place { kind: QueueKind; arena: string }
export interface Turn { place: Place; waitMs: number; /** Once the wait is over. */ end (): void }

export interface Rotation {
  setPlaces (places: readonly Place[]): void
  /** Null while there is no place. */
  next (): Turn | null
}

export function createRotation (slots: number, limits: Pick<typeof clusterLimits, 'pullMs' | 'pullSharedMs'> = clusterLimits): Rotation {
  let places: { place: Place; waiters: number; turn: number }[] = []
  let turns = 0
  return {
    setPlaces (wanted) {
      const isSame = (one: Place, other: Place): boolean => one.kind === other.kind && one.arena === other.arena
      places = wanted.map(place => places.find(known => isSame(known.place, place)) ?? { place, waiters: 0, turn: 0 })
    },
    next () {
      const chosen = places.reduce<typeof places[number] | null>((best, one) =>
        best === null || one.waiters < best.waiters || (one.waiters === best.waiters && one.turn < best.turn) ? one : best, null)
      if (chosen === null) return null
      chosen.waiters++
      chosen.turn = ++turns
      return { place: chosen.place, waitMs: places.length <= slots ? limits.pullMs : limits.pullSharedMs, end: () => { chosen.waiters-- } }
    }
  }
}
