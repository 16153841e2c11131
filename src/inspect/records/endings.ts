// Endings of work, counted: what went wrong by its code, what ended when.

import { episodeOfWork } from '../../run/ids.ts'
import type { FaultRow } from '../protocol.ts'

/** Of one run, at most; the oldest are forgotten. */
export const endingsMax = 20_000
const codesMax = 200

export interface Endings {
  ended (work: string, at: number): void
  failed (work: string, code: string, reason: string, at: number | null): void
  endedAt (episode: string): number | null
  faults (): FaultRow[]
  since (at: number): { episodes: number; rollouts: number; works: number }
}

export function countEndings (): Endings {
  const works: { work: string; at: number }[] = []
  const episodes = new Map<string, number>()
  const faults = new Map<string, FaultRow>()
  return {
    ended (work, at) {
      works.push({ work, at })
      if (works.length > endingsMax) works.splice(0, endingsMax / 10)
      const episode = episodeOfWork(work)
      if (episode !== null) episodes.set(episode, Math.max(at, episodes.get(episode) ?? 0))
    },
    failed (work, code, reason, at) {
      if (faults.size >= codesMax && !faults.has(code)) return
      const known = faults.get(code)
      faults.set(code, { code, count: (known?.count ?? 0) + 1, reason: reason.slice(0, 500), work, at })
    },
    endedAt: episode => episodes.get(episode) ?? null,
    faults: () => [...faults.values()].sort((one, other) => other.count - one.count),
    since (at) {
      const late = works.filter(work => work.at >= at)
      return { episodes: [...episodes.values()].filter(ended => ended >= at).length, rollouts: late.filter(({ work }) => /\.(break|solve)\b/.test(work)).length, works: late.length }
    }
  }
}
