// Where a gateway has its topics from: nodes for what lives, records for what is kept. One for a cluster, for this process, and for
// the folders of runs that ended.

import { SparError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { createActorsFeed, type ActorsFeed } from './actors-feed.ts'
import { badAction, notFound } from './failure.ts'
import { inspectLimits, type InspectLimits } from './limits.ts'
import { createNodeStates, type NodeStates } from './node-states.ts'
import type { Nodes } from './nodes.ts'
import { topics, type Action, type ClusterView, type EpisodesChange, type EpisodeRow, type Hello, type MachineView, type QueueRow, type RunVerb } from './protocol.ts'
import type { RunReader, RunReaders } from './records/types.ts'
import type { Update } from './service.ts'
import { readTopic, type Topic } from './topic.ts'
import { clusterView } from './views/cluster.ts'
import { episodeRows, episodeView, type LiveEpisodes } from './views/episode.ts'
import { rolloutView, tokensView } from './views/rollout.ts'
import { runRow } from './views/runs.ts'
import { trainingView } from './views/training.ts'

export interface Source {
  readonly kind: Hello['source']
  /** Updates of a topic until the signal aborts, or it has said everything; the first one is whole. Rejects with INSPECT_NOT_FOUND, INSPECT_BAD_TOPIC and what a node or a record says. */
  open (topic: string, signal: AbortSignal): AsyncGenerator<Update>
  /** Rejects with ACT_REFUSED, INSPECT_NOT_FOUND, and what a node says. */
  act (action: Action): Promise<void>
  close (): Promise<void>
}

export interface SourceParts {
  kind: Hello['source']
  /** null: nothing lives here. */
  nodes: Nodes | null
  readers: RunReaders
  /** Those of this version, where no node says its own. */
  machines: () => MachineView[]
  clock: Clock
  /** Changes the state of a run; null where nobody can. */
  runs: { verbs: readonly RunVerb[]; change (run: string, verb: RunVerb): Promise<void> } | null
  around: () => Promise<{ queues: QueueRow[]; policies: ClusterView['policies'] }>
  limits?: Partial<InspectLimits>
}

/** What a source reads with. */
interface Reading extends SourceParts { feed: ActorsFeed | null; states: NodeStates; every: InspectLimits }

export function createSource (parts: SourceParts): Source {
  const every = { ...inspectLimits, ...parts.limits }
  const feed = parts.nodes === null ? null : createActorsFeed(parts.nodes, { clock: parts.clock, limits: every })
  const reading: Reading = { ...parts, feed, states: createNodeStates(every), every }
  return {
    kind: parts.kind,
    open: (topic, signal) => open(reading, topic, signal),
    act: action => act(parts, action),
    async close () {
      parts.readers.close()
      await parts.nodes?.close()
    }
  }
}

/** Of one run, as they are now. */
function liveEpisodes (feed: ActorsFeed | null, run: string): LiveEpisodes {
  const live = new Map<string, { state: string; node: string }>()
  for (const { machine, status, run: of, id, state, node } of feed?.rows.values() ?? []) if (machine === 'episode' && status === 'active' && of === run) live.set(id, { state, node })
  return live
}

async function * open (reading: Reading, topic: string, signal: AbortSignal): AsyncGenerator<Update> {
  const read = readTopic(topic)
  switch (read.kind) {
    case 'actors': return yield * reading.feed === null ? once({ rows: [], leftOut: 0 }) : reading.feed.updates(signal)
    case 'actor': return yield * fromNode(reading, read.node, topic, signal)
    case 'machine': return yield * once(await machineOf(reading, read.machine))
    case 'episodes': return yield * episodes(reading, read.run, signal)
    case 'rollout': return yield * rollout(reading, read, topic, signal)
    case 'trace': throw notFound('a trace')
    case 'tokens': return yield * once(await tokensView(await readerOf(reading, read.run), read.rollout, read.segment, read.page))
    default: return yield * looked(reading, signal, valueOf(reading, read))
  }
}

async function * once (value: unknown): AsyncGenerator<Update> { yield { full: value } }

const readerOf = async (reading: Pick<Reading, 'readers'>, run: string): Promise<RunReader> => (await lookInto(reading, run)).reader

/** A run as it is now, and its version. */
async function lookInto ({ readers }: Pick<Reading, 'readers'>, run: string): Promise<{ reader: RunReader; version: number }> {
  const reader = await readers.get(run)
  if (reader === null) throw notFound(`the run ${run}`)
  return { reader, version: await reader.refresh() }
}

/** How a topic that is always whole is made; a mark says whether it would be another one. */
type Value = () => Promise<{ mark: string; value: () => Promise<unknown> }>

function valueOf (reading: Reading, topic: Topic): Value {
  const { readers, feed } = reading
  if (topic.kind === 'cluster' || topic.kind === 'runs') {
    return async () => {
      const { listed: all, leftOut } = await readers.list()
      const versions = await Promise.all(all.map(reader => reader.refresh()))
      const states = all.map(reader => `${reader.run} ${reader.info().state} ${JSON.stringify(reader.info().wait)}`)
      if (topic.kind === 'runs') return { mark: `${versions.join()} ${states.join()}`, value: async () => all.map(reader => runRow(reader, reading.runs?.verbs ?? [])) }
      return { mark: reading.kind === 'folder' ? `${versions.join()}` : `${reading.clock.now()}`, value: () => cluster(reading, all, leftOut) }
    }
  }
  const { run, kind, episode } = topic as Extract<Topic, { run: string }> & { episode: string }
  return async () => {
    const { reader, version } = await lookInto(reading, run)
    if (kind === 'training') return { mark: `${version}`, value: () => trainingView(reader) }
    const live = liveEpisodes(feed, run)
    return { mark: `${version} ${JSON.stringify(live.get(episode))}`, value: () => episodeView(reader, episode, live) }
  }
}

async function * looked ({ clock, every, kind, feed }: Reading, signal: AbortSignal, look: Value): AsyncGenerator<Update> {
  const release = feed?.hold()
  try {
    let told = ''
    for (;;) {
      const { mark, value } = await look()
      if (mark !== told) yield { full: await value() }
      told = mark
      // A folder may still be played by another process.
      await clock.sleep(kind === 'folder' ? every.recordsMs * 2 : every.recordsMs, signal).catch(() => {})
      if (signal.aborted) return
    }
  } finally { release?.() }
}

async function cluster ({ clock, nodes, feed, states, around, runs }: Reading, readers: readonly RunReader[], runsLeftOut: number): Promise<ClusterView> {
  const counts = new Map<string, number>()
  for (const { node, status } of feed?.rows.values() ?? []) if (status === 'active') counts.set(node, (counts.get(node) ?? 0) + 1)
  const there = (await nodes?.list() ?? []).map(row => ({ ...row, actors: counts.get(row.node) ?? null }))
  return clusterView({ at: clock.now(), nodes: states(there, clock.now()), ...await around(), readers, runsLeftOut, verbs: runs?.verbs ?? [] })
}

async function * fromNode ({ nodes }: Reading, node: string, topic: string, signal: AbortSignal): AsyncGenerator<Update> {
  if (nodes === null) throw notFound(topic)
  yield * nodes.of(node).watch({ topic }, { signal })
}

/** Every node has the same, but for versions: the first that answers says it. */
async function machineOf ({ nodes, machines, every }: Reading, machine: string): Promise<unknown> {
  for (const { node } of await nodes?.list() ?? []) {
    const views = await nodes!.of(node).machines(null, { deadlineMs: every.callMsMax }).catch(() => [])
    const view = views.find(view => view.machine === machine)
    if (view !== undefined) return view
  }
  const own = machines().find(view => view.machine === machine)
  if (own === undefined) throw notFound(`the machine ${machine}`)
  return own
}

async function * episodes (reading: Reading, run: string, signal: AbortSignal): AsyncGenerator<Update> {
  const told = new Map<string, string>()
  const look: Value = async () => {
    const reader = await readerOf(reading, run)
    const { rows, leftOut } = await episodeRows(reader, liveEpisodes(reading.feed, run))
    return { mark: JSON.stringify(rows), value: async () => ({ rows, leftOut }) }
  }
  for await (const update of looked(reading, signal, look)) {
    const { rows, leftOut } = (update as { full: EpisodesChange }).full
    const changed = rows.filter((row: EpisodeRow) => told.get(row.episode) !== JSON.stringify(row))
    const isFirst = told.size === 0
    for (const row of changed) told.set(row.episode, JSON.stringify(row))
    yield isFirst ? update : { change: { rows: changed, leftOut } satisfies EpisodesChange }
  }
}

/** From its record, or while it has none from the node that plays it; and then from its record. */
async function * rollout (reading: Reading, { run, rollout, page }: Extract<Topic, { kind: 'rollout' }>, topic: string, signal: AbortSignal): AsyncGenerator<Update> {
  let reader = await readerOf(reading, run)
  const release = reading.feed?.hold()
  try {
    while (await reader.result(rollout) === null) {
      const row = [...reading.feed?.rows.values() ?? []].find(row => row.run === run && row.rollout === rollout && row.id === rollout && row.status === 'active' && row.machine !== 'work')
      if (row !== undefined) yield * fromNode(reading, row.node, topics.rollout(run, rollout, page), signal)
      // The list of actors may be on its way, and a record comes a moment after its rollout.
      else if (reading.feed === null || await gone(reading, signal)) throw notFound(`the rollout ${rollout} of ${run}`)
      if (signal.aborted) return
      reader = await readerOf(reading, run)
    }
  } finally { release?.() }
  yield { full: await rolloutView(reader, rollout, page) }
}

/** Waits a moment; whether that is over. */
async function gone ({ clock, every, feed }: Reading, signal: AbortSignal): Promise<boolean> {
  const before = feed!.rows.size
  await clock.sleep(every.recordsMs, signal).catch(() => {})
  return before > 0 && !signal.aborted
}

async function act ({ nodes, runs, readers }: SourceParts, action: Action): Promise<void> {
  if ('run' in action) {
    if (runs === null || !runs.verbs.includes(action.do)) throw badAction(`nobody here can ${action.do} a run`)
    if (await readers.get(action.run) === null) throw notFound(`the run ${action.run}`)
    return await runs.change(action.run, action.do)
  }
  const node = action.do === 'drain' ? action.node : action.actor.slice(0, action.actor.lastIndexOf('/'))
  if (nodes === null || !(await nodes.list()).some(row => row.node === node)) throw notFound(`the node ${node}`)
  await nodes.of(node).act(action, { deadlineMs: inspectLimits.callMsMax })
}

/** Throws ACT_REFUSED: what comes from outside is looked at. */
export function readAction (value: unknown): Action {
  const { do: verb, run, node, actor, event } = (value ?? {}) as Record<string, unknown>
  const isText = (text: unknown): text is string => typeof text === 'string' && text.length > 0 && text.length <= 300
  if ((verb === 'pause' || verb === 'resume' || verb === 'cancel') && isText(run)) return { do: verb, run }
  if (verb === 'drain' && isText(node) && /^[A-Za-z0-9_-]+$/.test(node)) return { do: verb, node }
  if (verb === 'send' && isText(actor) && /^[A-Za-z0-9_-]+\/\d+$/.test(actor) && isText(event)) return { do: verb, actor, event }
  throw badAction('it is no action. See docs/inspect.md')
}

/** One value of a topic, as it is now. */
export async function readValue (source: Source, topic: string, timeoutMs: number): Promise<unknown> {
  const over = AbortSignal.timeout(timeoutMs)
  for await (const update of source.open(topic, over)) if ('full' in update) return update.full
  throw new SparError('INSPECT_NO_ANSWER', `Cannot show ${topic}: nobody answered within ${timeoutMs} ms`, { retryable: true })
}
