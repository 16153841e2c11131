// An episode's store on the bus (the port of src/store/episodes.ts): its results are the records, its snapshot a value that is
// written over the revision of whoever owns it.
//
// F1. Whoever takes an episode over writes its snapshot once: from then on the former owner's revision is stale, and its next
//     write is refused (STORE_FENCED).

import type { Artifact } from '../artifact/index.ts'
import type { Bus } from '../bus/types.ts'
import { SparError } from '../errors.ts'
import { breakId, promoteId, verifyId } from '../run/ids.ts'
import { attemptPath, trajectoryPath, type EpisodeStore } from '../store/episodes.ts'
import { pack, unpack } from './codec.ts'
import { episodeKey, sampleKey, scoredKey, settledKey } from './keys.ts'
import { readAttachment, readEndingArtifact, readEndingResult, settledEnding, type Committed, type Ending, type Made, type Records } from './records.ts'
import type { Retry } from './retry.ts'
import { packSample, readSample } from './samples.ts'

/** `times`: how often the episode had been put back; not there in those of before that was counted. */
interface Kept { schema_version: number; owner: string; claim: string; times?: number; snapshot: unknown }
/** Raised with the states of the machine: a node that does not know one of them hands the episode on. */
export const snapshotSchema = 3

const fenced = (key: string): SparError => new SparError('STORE_FENCED', `Cannot keep ${key}: another node has taken it over`, { data: { key } })

/** How endings are found: by asking the log, or among those that an owner has followed. */
export type FindEnding = (work: string, entry: Committed) => Promise<Ending | null>

export interface BusEpisodes {
  bus: Bus
  retry: Retry
  records: Records
  run: string
  find: FindEnding
  /** What an output that is kept says of its making, and under which entry. */
  by: () => Made
  entry: Committed
  /** Of this taking-over of an episode, and of no other: a server that crashed may count deliveries anew. */
  claim: string
  /** How often the episode had been put back when it was taken over. */
  times: number
}

export function busEpisodes ({ bus, retry, records, run, find, by, entry, claim, times }: BusEpisodes): EpisodeStore {
  let revision = 0
  const resultOf = async <T>(work: string): Promise<T | null> => {
    if (work.endsWith('.settle')) {
      const settled = await retry(() => bus.log.records.get(settledKey(run, work.slice(0, -'.settle'.length), times)))
      return settled === null ? null : unpack<{ outcome: T }>(settled, `the outcome ${work}`).outcome
    }
    return await readEndingResult<T>(bus, retry, await find(work, work.includes('.promote.') ? 'kept' : 'ended'))
  }
  const artifactOf = async (work: string, entry: Committed): Promise<Artifact> => {
    const ending = await find(work, entry)
    const artifact = ending === null ? null : await readEndingArtifact(bus, retry, ending)
    if (artifact === null) throw new SparError('STORE_NOT_FOUND', `Cannot read the bug of ${work}: its record has none`, { retryable: true })
    return artifact
  }
  return {
    run,
    result: resultOf,
    /** Claims the episode: F1. What was kept before it was put back is forgotten. */
    async snapshot (episodeId) {
      const key = episodeKey(run, episodeId)
      const entry = await retry(() => bus.kv.episodes.get(key))
      const kept = entry === null ? null : unpack<Kept>(entry.bytes, `the episode ${key}`, snapshotSchema)
      if (kept !== null && (kept.times ?? 0) > times) throw fenced(key)
      revision = entry?.revision ?? 0
      const snapshot = kept !== null && (kept.times ?? 0) === times ? kept.snapshot : null
      await write(key, snapshot)
      return snapshot
    },
    keepSnapshot: async (episodeId, snapshot) => await write(episodeKey(run, episodeId), snapshot),
    async keepOutput<T> (work: string, output: Parameters<EpisodeStore['keepOutput']>[1]) {
      const stands = await records.end(run, work, await settledEnding(bus, retry, work, output, by()), entry)
      return await readEndingResult<T>(bus, retry, stands) as T
    },
    submission: async episodeId => await artifactOf(breakId(episodeId), 'ended'),
    bug: async ({ episodeId, order }) => order === 1 ? await artifactOf(verifyId(episodeId), 'ended') : await artifactOf(promoteId(episodeId, order), 'kept'),
    async attempt (rolloutId) {
      const ending = await find(rolloutId, 'ended')
      const file = ending?.kind === 'settled' ? ending.files.find(({ name }) => name === attemptPath(rolloutId)) : undefined
      if (file === undefined) throw new SparError('STORE_NOT_FOUND', `Cannot read the attempt ${rolloutId}: its record has none`, { retryable: true })
      return await readAttachment(bus, retry, file)
    },
    async release (samples) {
      await Promise.all(samples.map(async sample => {
        const ending = await find(sample.rollout_id, 'ended')
        const trajectory = ending?.kind === 'settled' ? ending.files.find(({ name }) => name === trajectoryPath(sample.rollout_id)) ?? null : null
        const bytes = packSample({ sample, trajectory })
        const key = sampleKey(run, sample.rollout_id)
        if (await retry(() => bus.log.samples.create(key, bytes)) === 'created' || times === 0 || sample.reward === null) return
        const first = await retry(() => bus.log.samples.get(key))
        if (first !== null && readSample({ key, bytes: first }).sample.reward === null) await retry(() => bus.log.samples.create(scoredKey(run, sample.rollout_id), bytes))
      }))
    },
    async settle (episodeId, samples, outcome) {
      await this.release(samples)
      await retry(() => bus.log.records.create(settledKey(run, episodeId, times), pack({ outcome })))
    }
  }

  async function write (key: string, snapshot: unknown): Promise<void> {
    const bytes = pack({ schema_version: snapshotSchema, owner: by().node, claim, times, snapshot } satisfies Kept)
    try {
      revision = await retry(() => bus.kv.episodes.update(key, bytes, revision))
    } catch (error) {
      if (!(error instanceof SparError) || error.code !== 'BUS_CONFLICT') throw error
      // A write whose answer was lost was written all the same.
      const entry = await retry(() => bus.kv.episodes.get(key))
      if (entry === null || entry.revision === revision || unpack<Kept>(entry.bytes, key, snapshotSchema).claim !== claim) throw fenced(key)
      revision = entry.revision
      await write(key, snapshot)
    }
  }
}
