// A run of the cluster as folders: what `spar play` leaves, one folder for each arena, made from the records alone. Fetching
// again adds what has come since, and writes nothing twice.

import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeArtifact } from '../artifact/index.ts'
import { upToNow } from '../bus/now.ts'
import type { Bus } from '../bus/types.ts'
import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import { arenaOf, numberOfWork } from '../run/draw.ts'
import type { Sample } from '../run/results.ts'
import { summariseRun } from '../run/summary.ts'
import { writeJson, writeLarge } from '../store/files.ts'
import { createRunStore, openRunStore, type RunFile, type RunStore } from '../store/run.ts'
import { unpack } from './codec.ts'
import { getDocument, type RunDocument } from './document.ts'
import { leadId, readRecordKey } from './keys.ts'
import { createOutcomes } from './outcomes.ts'
import { readAttachment, readEnding, readEndingArtifact, readEndingResult, type Dispatched, type Ending } from './records.ts'
import type { Retry } from './retry.ts'
import { keepSample, readSample } from './samples.ts'

export interface Fetched { arena: string; dir: string; episodes: number }
export interface FetchPorts { bus: Bus; retry: Retry; versions: Pick<RunFile, 'spar' | 'node'>; onProgress? (entries: number): void }

/** Throws RUN_NOT_FOUND, RUN_NOT_OPENED; ARENA_DIFFERS where the folder holds another run. */
export async function fetchRun (ports: FetchPorts, run: string, out: string): Promise<Fetched[]> {
  const document = await getDocument(ports.bus, run)
  const opened = document.arenas.map(({ opened }) => opened)
  if (opened.every(arena => arena === null)) throw new SparError('RUN_NOT_OPENED', `There is nothing to fetch of ${run} yet: no node has opened its arenas`, { retryable: true })
  const stores = opened.map((arena, index) => arena === null ? null : storeOf(ports, document, arena, index, out))
  const storeFor = (work: string): RunStore | null => stores[arenaOf(document.options, numberOfWork(work))] ?? null
  const outcomes = createOutcomes(({ key, bytes }) => unpack<{ outcome: unknown }>(bytes, key).outcome)
  let last = 0
  for await (const entry of upToNow(signal => ports.bus.log.records.follow(run, signal))) {
    const name = readRecordKey(entry.key)
    // Leading a run is no work of an episode, and leaves nothing in its folder.
    if (name === null || (name.kind === 'work' && name.work === leadId)) continue
    const work = name.kind === 'work' ? name.work : name.episode
    last = Math.max(last, numberOfWork(work))
    const store = storeFor(work)
    if (store === null) continue
    if (name.kind !== 'work') outcomes.enter(entry)
    else if (name.entry === 'dispatched') store.ledger.enter(name.work, 'dispatched', unpack<Dispatched>(entry.bytes, entry.key).at)
    else if (name.entry === 'ended' || name.entry === 'kept') await keepEnding(ports, store, name.work, name.entry, readEnding(entry.bytes, entry.key))
  }
  for (const [episode, outcome] of outcomes.values) storeFor(episode)!.keepResult(`${episode}.settle`, outcome)
  // What was fetched before it was put back.
  for (const episode of outcomes.open()) rmSync(storeFor(episode)!.path('results', `${episode}.settle.json`), { force: true })
  const samples = new Map<string, Sample>()
  for await (const entry of upToNow(signal => ports.bus.log.samples.follow(run, signal))) keepSample(samples, readSample(entry).sample)
  for (const store of stores) if (store !== null) keepSamples(store, [...samples.values()].filter(({ rollout_id: id }) => storeFor(id) === store))
  return stores.filter(store => store !== null).map(store => {
    keepEpisodes(store, last)
    const { episodes } = summariseRun(openRunStore(store.dir, { mend: true }))
    return { arena: store.file().arena.id, dir: store.dir, episodes }
  })
}

function keepSamples ({ samples }: RunStore, come: readonly Sample[]): void {
  const kept = new Map(samples.all().map(sample => [sample.rollout_id, sample]))
  const isChanged = come.some(sample => sample.reward !== null && kept.get(sample.rollout_id)?.reward === null)
  if (!isChanged) return come.forEach(samples.add)
  for (const sample of come) keepSample(kept, sample)
  samples.replace([...kept.values()])
}

function storeOf ({ versions }: FetchPorts, { options, arenas }: RunDocument, arena: Arena, index: number, out: string): RunStore {
  const dir = arenas.length === 1 ? out : join(out, `${index}-${arena.name}`)
  if (!existsSync(join(dir, 'run.json'))) return createRunStore(dir, { ...versions, options: { ...options, target: arena.target }, arena, policies: { breaker: options.breaker, solver: options.solver } })
  const store = openRunStore(dir, { mend: true })
  const held = store.file()
  if (held.arena.id !== arena.id || held.options.seed !== options.seed) throw new SparError('RUN_EXISTS', `Cannot fetch into ${dir}: it holds another run. Use another --out`)
  return store
}

/** What plays until it is stopped has as many episodes as there are. */
function keepEpisodes (store: RunStore, last: number): void {
  const file = store.file()
  writeJson(store.path('run.json'), { ...file, options: { ...file.options, episodes: Math.max(1, last) } })
}

/** A record names places in the folder of a run, and no others. */
function inside (path: string): string {
  if (!/^(attempts|trajectories|transcripts|submissions|bugs|rejected)\/[A-Za-z0-9_-][A-Za-z0-9_.-]*$/.test(path)) throw new SparError('CLUSTER_CORRUPT', `Cannot fetch "${path}": a record may name no such place`)
  return path
}

async function keepEnding ({ bus, retry }: FetchPorts, store: RunStore, work: string, entry: 'ended' | 'kept', ending: Ending): Promise<void> {
  if (entry === 'ended') {
    const why = ending.kind === 'quarantined' ? { code: ending.code, reason: ending.reason } : undefined
    store.ledger.enter(work, ending.kind, ending.at, why)
  }
  if (ending.kind !== 'settled' || store.result(work) !== null) return
  for (const file of ending.files) await writeLarge(store.path(inside(file.name)), await readAttachment(bus, retry, file))
  const artifact = await readEndingArtifact(bus, retry, ending)
  if (artifact !== null) await writeArtifact(store.path(inside(ending.artifact!.folder)), artifact.bug, artifact.manifest!)
  store.keepResult(work, await readEndingResult(bus, retry, ending))
}
