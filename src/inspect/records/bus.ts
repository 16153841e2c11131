// Runs of a cluster by what is on its bus: documents, and of the runs that somebody asks for, records and samples, followed as they
// come. A run that nobody has asked for lately is not followed any more.

import { readArtifact } from './bus-artifact.ts'
import { keptNow, type Followed } from '../../bus/now.ts'
import type { Bus } from '../../bus/types.ts'
import { unpack } from '../../cluster/codec.ts'
import { snapshotSchema } from '../../cluster/episodes.ts'
import { isFinal, readDocument, type RunDocument } from '../../cluster/document.ts'
import { episodeKey } from '../../cluster/keys.ts'
import { listNodes } from '../../cluster/presence.ts'
import { createRecords, readAttachment, readEndingResult, type Ending, type Records } from '../../cluster/records.ts'
import type { Retry } from '../../cluster/retry.ts'
import { SparError } from '../../errors.ts'
import type { Clock } from '../../ports.ts'
import type { SettledEpisode } from '../../run/settle.ts'
import { attemptPath, trajectoryPath } from '../../store/episodes.ts'
import { followRun, type FollowedRun } from './bus-follow.ts'
import type { RunInfo, RunReader, RunReaders } from './types.ts'

export const busReaderLimits = {
  /** Runs in the list: those that are not over first, and of each the latest. */
  runsMax: 16,
  /** Runs that are followed at a time, with those that somebody asks for by name. */
  openMax: 64,
  /** A run that nobody has asked for so long is not followed any more; the second where there are more of them than the list has. */
  idleMs: 120_000,
  idleManyMs: 30_000,
  /** How long a run's records may take to come before it is shown without them. */
  readyMs: 10_000
}

interface Ports { bus: Bus; retry: Retry; clock: Clock }
interface Open { reader: RunReader; over: AbortController; askedAt: number }

export function busReaders (ports: Ports): RunReaders {
  const { bus, clock } = ports
  const records = createRecords(bus, ports.retry)
  const open = new Map<string, Open>()
  // One for all: a run that is followed anew never has a version that was told before.
  let changes = 0
  const change = (): number => ++changes
  const drop = (run: string): void => {
    open.get(run)?.over.abort()
    open.delete(run)
  }
  const readerOf = (document: RunDocument): RunReader => {
    const known = open.get(document.name)
    open.delete(document.name)
    const over = known?.over ?? new AbortController()
    const reader = known?.reader ?? readRun(ports, records, document, change, over.signal)
    // Whoever was asked for last stands last.
    open.set(document.name, { reader, over, askedAt: clock.now() })
    return reader
  }
  // Never one that is being looked at: it would be followed anew at every look.
  const dropIdle = (): void => {
    const now = clock.now()
    for (const [run, { askedAt }] of open) {
      const idleMs = open.size > busReaderLimits.runsMax ? busReaderLimits.idleManyMs : busReaderLimits.idleMs
      if (now - askedAt > idleMs) drop(run)
    }
  }
  return {
    async list () {
      const documents = [...(await keptNow(bus.kv.runs, '', readDocument)).values()]
        .sort((one, other) => Number(isFinal(one.state)) - Number(isFinal(other.state)) || other.submittedAt - one.submittedAt)
      const listed = documents.slice(0, busReaderLimits.runsMax).map(readerOf)
      dropIdle()
      return { listed, leftOut: documents.length - listed.length }
    },
    async get (run) {
      const entry = await bus.kv.runs.get(run)
      if (entry === null) return null
      dropIdle()
      if (!open.has(run) && open.size >= busReaderLimits.openMax) throw tooMany(run)
      return readerOf(readDocument(entry.bytes, run))
    },
    close () { for (const run of [...open.keys()]) drop(run) }
  }
}

const tooMany = (run: string): SparError => new SparError('INSPECT_BUSY', `Cannot show the run ${run}: ${busReaderLimits.openMax} runs are looked at already (openMax). Close some of them, and try again after ${busReaderLimits.idleManyMs / 1_000} s`, { retryable: true })

function readRun ({ bus, retry, clock }: Ports, records: Records, first: RunDocument, change: () => number, signal: AbortSignal): RunReader {
  const run = first.name
  let document = first
  let wait: RunInfo['wait'] = null
  let version = change()
  const begin = (): FollowedRun => followRun(bus, run, signal, () => { version = change() })
  let following = begin()

  const endingOf = async (work: string): Promise<Ending | null> => await records.ending(run, work, work.includes('.promote.') ? 'kept' : 'ended')
  const fileOf = async (work: string, name: string): Promise<Uint8Array | null> => {
    const ending = await endingOf(work)
    const file = ending?.kind === 'settled' ? ending.files.find(file => file.name === name) : undefined
    return file === undefined ? null : await readAttachment(bus, retry, file)
  }
  /** Rejects with the reason where nothing comes any more; then all is followed anew from the start, for the next look. */
  const ready = async (of: FollowedRun, wanted: Followed): Promise<void> => {
    const late = new AbortController()
    try {
      await Promise.race([wanted.broken, wanted.ready, clock.sleep(busReaderLimits.readyMs, late.signal)])
    } catch (error) {
      of.end()
      if (following === of) following = begin()
      throw error
    } finally {
      late.abort()
    }
  }

  return {
    run,
    async refresh () {
      await ready(following, following.records)
      const entry = await bus.kv.runs.get(run)
      if (entry !== null) document = readDocument(entry.bytes, run)
      const waits = document.trainer === null ? [] : (await listNodes(bus)).flatMap(({ waits }) => waits).filter(wait => wait.run === run)
      wait = waits[0] === undefined ? null : { trainer: waits[0].trainer, bytes: waits[0].bytes, bytesMax: waits[0].bytesMax }
      return version
    },
    info: () => ({
      state: document.state, reason: document.reason, options: document.options, startedAt: document.submittedAt, wait,
      arenas: document.arenas.map(({ target, opened }) => ({ id: opened?.id ?? '', target, commit: opened?.commit ?? '', runner: opened?.runner ?? '' })),
      policies: { breaker: document.options.breaker, solver: document.options.solver }
    }),
    ledger: () => following.ledger.totals(),
    settled: () => following.settled,
    endedAt: episode => following.endings.endedAt(episode),
    faults: () => following.endings.faults(),
    endedSince: at => following.endings.since(at),
    async samples () {
      const { taken, following: wanted } = following.samples()
      await ready(following, wanted)
      return [...taken.values()]
    },
    async kept (episode) {
      const entry = await bus.kv.episodes.get(episodeKey(run, episode))
      const snapshot = entry === null ? null : unpack<{ snapshot: { value: unknown; context: Pick<SettledEpisode, 'bugs'> & { ending: SettledEpisode['ending'] | null } } | null }>(entry.bytes, episode, snapshotSchema).snapshot
      return snapshot === null ? null : { state: String(snapshot.value), ending: snapshot.context.ending, bugs: snapshot.context.bugs }
    },
    result: async work => await readEndingResult(bus, retry, await endingOf(work)),
    artifact: async of => await readArtifact({ bus, retry, endingOf }, of),
    attempt: rollout => fileOf(rollout, attemptPath(rollout)),
    record: rollout => fileOf(rollout, trajectoryPath(rollout))
  }
}
