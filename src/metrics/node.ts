// What is known of a node anyway, read when somebody asks: slots, arenas, queues, threads; and its reports, counted.

import type { Bus, QueueKind } from '../bus/types.ts'
import type { Delivered } from '../cluster/deliver.ts'
import type { NodePresence } from '../cluster/presence.ts'
import type { NodeReport } from '../cluster/report.ts'
import { anyArena } from '../cluster/keys.ts'
import type { Clock } from '../ports.ts'
import type { Workers } from '../workers/pool.ts'
import { metricsLimits, type CounterName, type GaugeName } from './definitions.ts'
import type { Metrics, Sample } from './types.ts'

export interface MeasuredNode { presence (): NodePresence; readonly isReady: boolean }
export interface MeasuredPorts { bus: Bus; clock: Clock; limits?: Partial<typeof metricsLimits> }

/** The answer stops reading. All outcomes are there from the start: the first of its kind can be seen to come. */
export function measureNode (metrics: Metrics, node: MeasuredNode, { bus, clock, limits }: MeasuredPorts): () => void {
  const one = (value: number): Sample[] => [{ labels: {}, value }]
  const slots = (of: 'total' | 'busy') => (): Sample[] => Object.entries(node.presence().slots).map(([kind, counts]) => ({ labels: { kind }, value: counts[of] }))
  const depths = createDepths(bus, clock, () => node.presence().arenas, { ...metricsLimits, ...limits })
  for (const kind of kinds) for (const outcome of outcomes) metrics.add('spar_work_delivered_total', { kind, outcome }, 0)
  return readAll(metrics, {
    spar_node_info: () => [{ labels: { node: node.presence().node, version: node.presence().version }, value: 1 }],
    spar_node_ready: () => one(node.isReady ? 1 : 0),
    spar_bus_connected: () => one(bus.isConnected ? 1 : 0),
    spar_slots: slots('total'),
    spar_slots_busy: slots('busy'),
    spar_arenas_held: () => one(node.presence().arenas.length),
    spar_arenas_refused: () => one(node.presence().refusals.length),
    spar_queue_waiting: async () => (await depths()).map(({ labels, waiting }) => ({ labels, value: waiting })),
    spar_queue_taken: async () => (await depths()).map(({ labels, taken }) => ({ labels, value: taken }))
  })
}

/** The answer stops reading. */
export function measureWorkers (metrics: Metrics, workers: Pick<Workers, 'stats'>): () => void {
  const one = (name: 'threads' | 'running' | 'queued' | 'queuedBytes') => (): Sample[] => [{ labels: {}, value: workers.stats()[name] }]
  return readAll(metrics, {
    spar_workers_threads: one('threads'),
    spar_workers_running: one('running'),
    spar_workers_queued: one('queued'),
    spar_workers_queued_bytes: one('queuedBytes'),
    spar_workers_tasks_total: () => Object.entries(workers.stats().tasks).flatMap(([task, { count, failed, lost }]) =>
      [['ok', count - failed], ['failed', failed], ['lost', lost]].map(([outcome, value]) => ({ labels: { task, outcome: outcome as string }, value: value as number })))
  })
}

const kinds: readonly QueueKind[] = ['run', 'episode', 'rollout', 'verify', 'grade']
const outcomes: readonly (Delivered['kind'] | 'lost')[] = ['settled', 'known', 'cancelled', 'handedBack', 'abandoned', 'failed', 'interrupted', 'quarantined', 'dropped', 'lost']

/** Counts deliveries, and the faults that they and the node report. */
export function countReport (metrics: Metrics, report: NodeReport): void {
  if (report.type === 'fault') metrics.add('spar_faults_total', { code: report.code })
  if (report.type !== 'delivered') return
  metrics.add('spar_work_delivered_total', { kind: report.kind, outcome: report.outcome })
  metrics.observe('spar_work_seconds', { kind: report.kind }, report.ms / 1000)
  if (report.code !== undefined) metrics.add('spar_faults_total', { code: report.code })
}

interface Depth { labels: { kind: QueueKind; arena: string }; waiting: number; taken: number }

/** Asks the bus once for both gauges, and not more often than it has to. Rejects where it does not answer in time. */
function createDepths (bus: Bus, clock: Clock, arenas: () => readonly string[], { depthMsMax, depthEveryMs }: typeof metricsLimits): () => Promise<Depth[]> {
  let asked: { at: number; depths: Promise<Depth[]> } | null = null
  const ask = async (): Promise<Depth[]> => {
    if (!bus.isConnected) throw new Error('the bus is away')
    const places = [['run', anyArena], ['episode', anyArena], ...arenas().flatMap(arena => ['rollout', 'verify', 'grade'].map(kind => [kind, arena]))] as [QueueKind, string][]
    return await Promise.all(places.map(async ([kind, arena]) => ({ labels: { kind, arena }, ...await bus.queue.depth(kind, arena) })))
  }
  return () => {
    const now = clock.now()
    if (asked === null || now - asked.at >= depthEveryMs) {
      const over = new AbortController()
      const late = clock.sleep(depthMsMax, over.signal).then(() => { throw new Error('the bus took too long') })
      late.catch(() => {})
      const depths = Promise.race([ask(), late]).finally(() => over.abort())
      asked = { at: now, depths }
      depths.catch(() => {})
    }
    return asked.depths
  }
}

function readAll (metrics: Metrics, sources: { [Name in GaugeName | CounterName]?: () => Sample[] | Promise<Sample[]> }): () => void {
  const stops = (Object.entries(sources) as [GaugeName, () => Sample[]][]).map(([name, source]) => metrics.read(name, source))
  return () => { for (const stop of stops) stop() }
}
