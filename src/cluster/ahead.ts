// How much a trainer has before it: bytes of samples that settled and that it has not acknowledged, with their records. The place
// that it keeps in the log says up to where everything is acknowledged, and how many of those behind that it holds; which of them
// it holds is not said, and so what it holds counts by their mean.
//
// A breaker's sample counts only when those of its whole round are there, or its round is settled. Before that no trainer can take an
// advantage over the round: to wait for it would be to wait for episodes that wait for the trainer.

import type { LogEntry, LogPlace } from '../bus/types.ts'
import { numberOfWork, roundOf } from '../run/draw.ts'
import type { RunOptions } from '../run/options.ts'
import { isScoredKey } from './keys.ts'
import { readSample } from './samples.ts'

export interface Ahead {
  samples: number
  bytes: number
}

/** `round`: of a breaker's sample. */
interface Counted { sequence: number; bytes: number; round: { id: string; size: number } | null }

/** How many episodes of each round have an outcome. */
export interface Rounds {
  settle (episode: string): void
  isSettled (round: { id: string; size: number }): boolean
}

export function createRounds (options: RunOptions): Rounds {
  const settled = new Map<string, number>()
  return {
    settle (episode) {
      const round = roundOf(options, numberOfWork(episode))
      settled.set(round, (settled.get(round) ?? 0) + 1)
    },
    isSettled: ({ id, size }) => (settled.get(id) ?? 0) >= size
  }
}

export interface AheadCount {
  enter (entry: LogEntry): void
  /**
   * By where the trainer stands now; of several readers that it has had by the one with the least before it, of none it was never
   * there. What was acknowledged is forgotten.
   */
  look (places: readonly LogPlace[]): Ahead
  /** Bytes of the last look, and of all that came since. */
  readonly bytes: number
}

export function createAheadCount ({ group }: Pick<RunOptions, 'group'>, rounds: Rounds): AheadCount {
  let counted: Counted[] = []
  let bytes = 0
  const breakers = new Map<string, number>()
  const isOpen = ({ round }: Counted): boolean => round !== null && (breakers.get(round.id) ?? 0) < round.size && !rounds.isSettled(round)
  return {
    get bytes () { return bytes },
    enter (entry) {
      const sample = count(entry, group)
      counted.push(sample)
      if (sample.round !== null) breakers.set(sample.round.id, (breakers.get(sample.round.id) ?? 0) + 1)
      if (!isOpen(sample)) bytes += sample.bytes
    },
    look (places) {
      const acknowledged = Math.max(0, ...places.map(({ acknowledged }) => acknowledged))
      counted = counted.filter(({ sequence }) => sequence > acknowledged)
      const usable = counted.filter(one => !isOpen(one))
      const [first, ...others] = places.length === 0 ? [sumOf(usable)] : places.map(place => before(place, usable, counted.filter(isOpen)))
      const least = others.reduce((least, other) => other.bytes < least.bytes ? other : least, first!)
      bytes = least.bytes
      return least
    }
  }
}

function before ({ delivered, held }: LogPlace, usable: readonly Counted[], open: readonly Counted[]): Ahead {
  const given = sumOf(usable.filter(({ sequence }) => sequence <= delivered))
  const waiting = sumOf(usable.filter(({ sequence }) => sequence > delivered))
  const samples = Math.min(given.samples, Math.max(0, held - open.filter(({ sequence }) => sequence <= delivered).length))
  const heldBytes = given.samples === 0 ? 0 : Math.round(given.bytes * samples / given.samples)
  return { samples: waiting.samples + samples, bytes: waiting.bytes + heldBytes }
}

const sumOf = (counted: readonly Counted[]): Ahead => ({ samples: counted.length, bytes: counted.reduce((sum, { bytes }) => sum + bytes, 0) })

function count (entry: LogEntry, group: number): Counted {
  const { key, sequence, bytes } = entry
  try {
    const { sample, trajectory } = readSample(entry)
    // The second sample of a breaker is of a rollout that is counted.
    const round = sample.role === 'breaker' && !isScoredKey(key) ? { id: sample.round_id, size: sample.group_size ?? group } : null
    return { sequence, bytes: bytes.length + (trajectory?.inline === null ? trajectory.size : 0), round }
  } catch {
    // Of a newer version: the trainer has to take it all the same, and refuses it.
    return { sequence, bytes: bytes.length, round: null }
  }
}
