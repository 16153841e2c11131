// The folder of a run, made to be read by a person:
//
//   run.json                 options, arena, versions
//   ledger.jsonl             every piece of work and its ending
//   episodes/e0001.json      the episode machine's snapshot
//   results/<work>.json      what a finished piece of work came to; written last, so that it is the commit point
//   submissions/<rollout>/   what a breaker submitted, before verification
//   bugs/<bug>/              five files and manifest.json of a valid bug; rejected/<bug>/ of another
//   attempts/<rollout>.diff  the solvers' patches
//   trajectories/<rollout>.msgpack, transcripts/<rollout>.md
//   samples.jsonl            rollouts with their settled rewards
//   held.json                which process is at it; gone when it has ended
//   summary.json             what `spar play --json` prints
//
// S1. Work whose result is there is never done again. S2. Every file is replaced in one step.

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { RunOptions } from '../run/options.ts'
import type { Sample } from '../run/results.ts'
import { openJsonLog, readJson, writeAtomic, writeJson, type JsonLog } from './files.ts'
import { holdName } from './hold.ts'
import { openLedger, type LedgerBook } from './ledger.ts'

export const runSchema = 1

export interface RunFile { schema_version: number; run: string; spar: string; node: string; options: RunOptions; arena: Arena; policies: { breaker: string; solver: string }; /** Of the containers, where one was asked for: going on takes the same. */ runtime?: string }

export interface RunStore {
  readonly dir: string
  readonly run: string
  readonly ledger: LedgerBook
  /** Rollouts with their settled rewards: each id once, whoever adds it again. */
  readonly samples: { all (): Sample[]; add (sample: Sample): void; replace (samples: Sample[]): void }
  file (): RunFile
  snapshot (episodeId: string): unknown
  keepSnapshot (episodeId: string, snapshot: unknown): void
  result<T> (workId: string): T | null
  keepResult (workId: string, result: unknown): void
  /** The patch of a solver's rollout. */
  attempt (rolloutId: string): Uint8Array
  bugDir (bugId: string): string
  path (...parts: string[]): string
}

/** Makes a run folder. Throws RUN_EXISTS when there is one already, STORE_WRITE_FAILED where none can be made. */
export function createRunStore (dir: string, file: Omit<RunFile, 'schema_version' | 'run'>): RunStore {
  if (existsSync(join(dir, 'run.json'))) throw new SparError('RUN_EXISTS', `Cannot start a run in ${dir}: it holds a run already. Use --resume to go on with it, or another --out.`)
  if (existsSync(dir) && readdirSync(dir).some(name => name !== holdName)) throw new SparError('RUN_FOLDER_NOT_EMPTY', `Cannot start a run in ${dir}: the folder is not empty and holds no run. Use another --out.`)
  writeJson(join(dir, 'run.json'), { schema_version: runSchema, run: basename(dir), ...file })
  return openRunStore(dir, { mend: true })
}

/**
 * Opens the folder of a run. Throws RUN_NOT_FOUND, RUN_SCHEMA_NEWER. Only the process that plays the run may clear away what
 * a crash left half-written (`mend`); a reader beside it touches nothing.
 */
export function openRunStore (dir: string, { mend = false } = {}): RunStore {
  const file = readJson<RunFile>(join(dir, 'run.json'))
  if (!file) throw new SparError('RUN_NOT_FOUND', `Cannot open the run ${dir}: there is no run.json in it`)
  if (file.schema_version > runSchema) throw new SparError('RUN_SCHEMA_NEWER', `Cannot open the run ${dir}: it was written by a newer version (schema ${file.schema_version}, this one reads ${runSchema})`)
  const path = (...parts: string[]): string => join(dir, ...parts)
  if (mend) removeDrafts(dir)
  return {
    dir,
    run: file.run,
    ledger: openLedger(path('ledger.jsonl'), mend),
    samples: openSamples(path('samples.jsonl'), mend),
    file: () => file,
    snapshot: episodeId => readJson(path('episodes', `${episodeId}.json`)),
    keepSnapshot: (episodeId, snapshot) => writeJson(path('episodes', `${episodeId}.json`), snapshot),
    result: workId => readJson(path('results', `${workId}.json`)),
    keepResult: (workId, result) => writeJson(path('results', `${workId}.json`), result),
    attempt: rolloutId => new Uint8Array(readFileSync(path('attempts', `${rolloutId}.diff`))),
    bugDir: bugId => path('bugs', bugId),
    path
  }
}

function openSamples (path: string, mend: boolean): RunStore['samples'] {
  const known = new Map<string, Sample>()
  let log: JsonLog<Sample> | null = null
  const open = (): JsonLog<Sample> => {
    if (log === null) {
      log = openJsonLog<Sample>(path, mend)
      for (const sample of log.lines) known.set(sample.rollout_id, sample)
    }
    return log
  }
  return {
    all: () => { open(); return [...known.values()] },
    add (sample) {
      const { append } = open()
      if (known.has(sample.rollout_id)) return
      append(sample)
      known.set(sample.rollout_id, sample)
    },
    replace (samples) {
      writeAtomic(path, samples.map(sample => JSON.stringify(sample) + '\n').join(''))
      known.clear()
      for (const sample of samples) known.set(sample.rollout_id, sample)
    }
  }
}

/** What a crash left half-written beside its place. */
function removeDrafts (dir: string): void {
  for (const folder of ['', 'episodes', 'results', 'attempts', 'trajectories', 'transcripts']) {
    const parent = join(dir, folder)
    if (!existsSync(parent)) continue
    for (const name of readdirSync(parent)) if (name.endsWith('.draft')) rmSync(join(parent, name), { recursive: true, force: true })
  }
}
