// A run by its folder, whoever plays it at the same time: nothing is written, and what was read is read again when it has changed.

import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { readArtifact } from '../../artifact/index.ts'
import { SparError } from '../../errors.ts'
import { resolveBudgets } from '../../run/budgets.ts'
import { episodeIdOf } from '../../run/draw.ts'
import { breakId, settleId } from '../../run/ids.ts'
import { runDefaults } from '../../run/options.ts'
import type { SettledEpisode } from '../../run/settle.ts'
import { attemptPath, bugFolder, rejectedFolder, submissionFolder, trajectoryPath } from '../../store/episodes.ts'
import { openJsonLog } from '../../store/files.ts'
import { openRunStore, type RunStore } from '../../store/run.ts'
import { inspectLimits } from '../limits.ts'
import { countEndings, type Endings } from './endings.ts'
import type { KeptEpisode, RunInfo, RunReader, RunReaders } from './types.ts'

/** `stateOf` says more of a run that is played here than its folder does. Throws RUN_NOT_FOUND, RUN_SCHEMA_NEWER, and RUN_TWICE where two folders hold runs of one name. */
export function folderReaders (dirs: readonly string[], stateOf: (run: string) => string | null = () => null): RunReaders {
  const readers = new Map<string, RunReader>()
  for (const dir of dirs) {
    const reader = readFolder(dir, stateOf)
    if (readers.has(reader.run)) throw new SparError('RUN_TWICE', `Cannot show ${dir}: another folder holds a run ${reader.run} too`)
    readers.set(reader.run, reader)
  }
  return { list: async () => ({ listed: [...readers.values()], leftOut: 0 }), get: async run => readers.get(run) ?? null, close () {} }
}

interface LedgerLine { id: string; entry: string; at: number; code?: string; reason?: string }
interface Snapshot { value: unknown; context: { bugs: SettledEpisode['bugs']; ending: SettledEpisode['ending'] | null } }

function readFolder (dir: string, stateOf: (run: string) => string | null): RunReader {
  let store: RunStore = openRunStore(dir)
  let endings: Endings = countEndings()
  let startedAt: number | null = null
  let mark = ''
  let version = 0
  const settled = new Map<string, SettledEpisode>()
  // A run is named by its folder, as it was when it was made; folders are moved and copied.
  const run = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(store.run) ? store.run : basename(dir)

  const load = (): void => {
    store = openRunStore(dir)
    endings = countEndings()
    for (const { id, entry, at, code, reason } of openJsonLog<LedgerLine>(store.path('ledger.jsonl'), false).lines) {
      startedAt ??= at
      if (entry !== 'dispatched') endings.ended(id, at)
      if (entry === 'quarantined') endings.failed(id, code ?? 'UNKNOWN', reason ?? '', at)
    }
    const { episodes } = store.file().options
    for (let number = 1; number <= Math.min(episodes, inspectLimits.episodesMax); number++) {
      const episode = episodeIdOf(number)
      const outcome = settled.has(episode) ? null : store.result<SettledEpisode>(settleId(episode))
      if (outcome !== null) settled.set(episode, outcome)
    }
  }
  const readCapped = async (path: string, bytesMax: number): Promise<Uint8Array | null> => {
    const file = join(dir, path)
    if (!existsSync(file)) return null
    if (statSync(file).size > bytesMax) throw new SparError('RECORD_TOO_LARGE', `Cannot show ${path}: it has more than ${bytesMax} bytes (recordBytesMax)`)
    return await readFile(file)
  }

  return {
    run,
    async refresh () {
      const now = ['ledger.jsonl', 'samples.jsonl', 'summary.json'].map(name => stampOf(join(dir, name))).join(' ')
      if (now === mark) return version
      load()
      mark = now
      return ++version
    },
    info: () => infoOf(store, stateOf(run), settled.size, startedAt),
    ledger: () => ({ ...store.ledger.totals(), open: store.ledger.open().length }),
    settled: () => settled,
    endedAt: episode => endings.endedAt(episode),
    faults: () => endings.faults(),
    endedSince: at => endings.since(at),
    samples: async () => store.samples.all(),
    async kept (episode): Promise<KeptEpisode | null> {
      const snapshot = store.snapshot(episode) as Snapshot | null
      return snapshot === null ? null : { state: String(snapshot.value), ending: snapshot.context.ending, bugs: snapshot.context.bugs }
    },
    result: async work => store.result(work),
    async artifact ({ episode, bug, order, valid }) {
      const folders = valid === false ? [rejectedFolder(bug)] : order > 1 ? [bugFolder(bug)] : [bugFolder(bug), rejectedFolder(bug), submissionFolder(breakId(episode))]
      const folder = folders.find(folder => existsSync(join(dir, folder)))
      return folder === undefined ? null : await readArtifact(join(dir, folder))
    },
    attempt: rollout => readCapped(attemptPath(rollout), inspectLimits.recordBytesMax),
    record: rollout => readCapped(trajectoryPath(rollout), inspectLimits.recordBytesMax)
  }
}

function stampOf (path: string): string {
  if (!existsSync(path)) return '-'
  const { mtimeMs, size } = statSync(path)
  return `${mtimeMs}:${size}`
}

function infoOf (store: RunStore, state: string | null, settled: number, startedAt: number | null): RunInfo {
  const { options, arena: { id, target, commit, runner }, policies } = store.file()
  return {
    state: settled >= options.episodes ? 'done' : state ?? 'unfinished', reason: '', startedAt, policies, wait: null,
    options: { ...runDefaults, ...options, ...resolveBudgets(options, {}) }, arenas: [{ id, target, commit, runner }]
  }
}
