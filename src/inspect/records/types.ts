// What is known of a run from what it keeps: of a folder, or of the bus. Views are made of this alone, so that a run that is played
// and one that ended long ago are shown by the same code.

import type { Artifact } from '../../artifact/index.ts'
import type { RunOptions } from '../../run/options.ts'
import type { Sample } from '../../run/results.ts'
import type { SettledEpisode } from '../../run/settle.ts'
import type { FaultRow, LedgerTotals, RunRow } from '../protocol.ts'

/** An episode as its owner left it, settled or not. */
export interface KeptEpisode { state: string; ending: SettledEpisode['ending'] | null; bugs: SettledEpisode['bugs'] }

export interface RunInfo {
  state: string
  reason: string
  /** Of all arenas; the options name the first one as target. */
  options: RunOptions
  arenas: { id: string; target: string; commit: string; runner: string }[]
  policies: { breaker: string; solver: string }
  startedAt: number | null
  wait: RunRow['wait']
}

export interface RunReader {
  readonly run: string
  /** Looks at what is new. Resolves to a number that grows when anything has changed. */
  refresh (): Promise<number>
  info (): RunInfo
  ledger (): LedgerTotals
  /** By id. */
  settled (): ReadonlyMap<string, SettledEpisode>
  /** When the last work of an episode ended; null: not known. */
  endedAt (episode: string): number | null
  faults (): FaultRow[]
  /** Work that ended since then. */
  endedSince (at: number): { episodes: number; rollouts: number; works: number }
  samples (): Promise<Sample[]>
  /** Of an episode that is not settled; null: it has not begun. */
  kept (episode: string): Promise<KeptEpisode | null>
  /** null: there is none (yet). */
  result<T> (work: string): Promise<T | null>
  /** The artifact of a bug; null where it cannot be had. */
  artifact (of: { episode: string; bug: string; order: number; valid: boolean | null }): Promise<Artifact | null>
  attempt (rollout: string): Promise<Uint8Array | null>
  /** The bytes of a rollout's record. */
  record (rollout: string): Promise<Uint8Array | null>
}

/** Runs by name. */
export interface RunReaders {
  /** Those that are shown, and how many there are beyond. */
  list (): Promise<{ listed: RunReader[]; leftOut: number }>
  /** null: there is no such run. Ask again before every look: one that nobody asks for is not followed for long. */
  get (run: string): Promise<RunReader | null>
  close (): void
}
