// What an episode reads and leaves, whoever plays it where: a port with two implementations, the folder of a run (here) and
// the bus (src/cluster/records.ts).
//
// S1. A result is the commit point of its work: it is kept last, in one step, and the first one stays. Work with a result is
//     never done again.

import { writeArtifact, readArtifact, type Artifact, type Manifest } from '../artifact/index.ts'
import type { Bug } from '../domain.ts'
import { breakId, settleId } from '../run/ids.ts'
import type { Sample } from '../run/results.ts'
import { writeAtomic, writeLarge } from './files.ts'
import type { RunStore } from './run.ts'

/** A file that a piece of work leaves; `path` is its place in the folder of a run. */
export interface OutputFile { path: string; bytes: Uint8Array }

/** What a piece of work came to. `artifact` lies in the folder of a run under `folder`. */
export interface WorkOutput<Result = unknown> {
  result: Result
  files: OutputFile[]
  artifact: { folder: string; bug: Bug; manifest: Manifest } | null
}

export const output = <Result>(result: Result, rest: Partial<Omit<WorkOutput, 'result'>> = {}): WorkOutput<Result> => ({ result, files: [], artifact: null, ...rest })

/** Which bug of an episode. */
export interface BugRef { episodeId: string; bugId: string; order: number }

export interface EpisodeStore {
  readonly run: string
  snapshot (episodeId: string): Promise<unknown>
  /** Rejects with STORE_FENCED where somebody else has taken the episode over. */
  keepSnapshot (episodeId: string, snapshot: unknown): Promise<void>
  result<T> (workId: string): Promise<T | null>
  /** S1. Resolves to the result that stays: of a second one, the first. */
  keepOutput<T> (workId: string, output: WorkOutput<T>): Promise<T>
  /** What a breaker submitted, not yet verified. */
  submission (episodeId: string): Promise<Artifact>
  bug (ref: BugRef): Promise<Artifact>
  /** The patch of a solver's rollout. */
  attempt (rolloutId: string): Promise<Uint8Array>
  /** Samples that are final before their episode has ended. The first of a rollout stays. */
  release (samples: Sample[]): Promise<void>
  /** Samples first, then the result of the episode: its commit point. */
  settle (episodeId: string, samples: Sample[], outcome: unknown): Promise<void>
}

export const resultPath = (workId: string): string => `results/${workId}.json`
export const attemptPath = (rolloutId: string): string => `attempts/${rolloutId}.diff`
export const trajectoryPath = (rolloutId: string): string => `trajectories/${rolloutId}.msgpack`
export const transcriptPath = (rolloutId: string): string => `transcripts/${rolloutId}.md`
export const submissionFolder = (rolloutId: string): string => `submissions/${rolloutId}`
export const bugFolder = (bugId: string): string => `bugs/${bugId}`
export const rejectedFolder = (bugId: string): string => `rejected/${bugId}`

/** Below this a file is written at once; above it, the event loop goes on meanwhile. */
const atOnceBytesMax = 64 * 1024

/** The folder of a run as an episode's store: one process plays it. */
export function folderEpisodes (store: RunStore): EpisodeStore {
  return {
    run: store.run,
    snapshot: async episodeId => store.snapshot(episodeId),
    keepSnapshot: async (episodeId, snapshot) => store.keepSnapshot(episodeId, snapshot),
    result: async workId => store.result(workId),
    async keepOutput<T> (workId: string, { result, files, artifact }: WorkOutput<T>) {
      for (const { path, bytes } of files) {
        if (bytes.length <= atOnceBytesMax) writeAtomic(store.path(path), bytes)
        else await writeLarge(store.path(path), bytes)
      }
      if (artifact !== null) await writeArtifact(store.path(artifact.folder), artifact.bug, artifact.manifest)
      store.keepResult(workId, result)
      return result
    },
    submission: async episodeId => await readArtifact(store.path(submissionFolder(breakId(episodeId)))),
    bug: async ({ bugId }) => await readArtifact(store.path(bugFolder(bugId))),
    attempt: async rolloutId => store.attempt(rolloutId),
    async release (samples) { for (const sample of samples) store.samples.add(sample) },
    async settle (episodeId, samples, outcome) {
      await this.release(samples)
      store.keepResult(settleId(episodeId), outcome)
    }
  }
}
