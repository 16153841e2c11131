// Who watches `spar play`: the page, /metrics and health, traces, and the log in the place of the live view. What nobody has asked for
// is not there, and costs nothing.

import type { EpisodeStep } from '../../actors/episode.ts'
import type { RunOutcome } from '../../machines/run.ts'
import type { QueueEvent } from '../bus/memory-queue.ts'
import { systemClock } from '../clock.ts'
import type { Listening } from '../inspect/listening.ts'
import { measurePlay } from '../metrics/play.ts'
import type { Metrics } from '../metrics/types.ts'
import type { WorkWatch } from '../rollout/watch.ts'
import type { RunStore } from '../store/run.ts'
import type { Io } from './command.ts'
import { listenForPage, type InspectValues } from './inspect-options.ts'
import { readLevel } from './log.ts'
import { serveHealth, type ServedHealth } from './node-health.ts'
import { createNodeLog } from './node-log.ts'
import { isTraced, traceOptionTypes, traceUsage, type TraceValues } from './node-traces.ts'
import { openWatch, type NodeWatch } from './node-watch.ts'
import { createPlayReports } from './play-reports.ts'
import { playView } from './play-view.ts'
import { neutral } from './terminal.ts'
import { version } from './version.ts'

export const playWatchOptionTypes = { ...traceOptionTypes, 'log-level': { type: 'string' }, http: { type: 'string' } } as const

export const playWatchUsage = `  --http host:port         /healthz, /readyz, /status and /metrics of this process; default: none
${traceUsage}
  --log-level info         a log on standard error in the place of the live view: trace, debug, info, warn, error, fatal or silent`

export interface PlayWatchValues extends InspectValues, TraceValues { inspect?: string | undefined; http?: string | undefined; 'log-level'?: string | undefined }

/** What the run is followed by. */
export interface Following { watch: WorkWatch | undefined; onQueue (event: QueueEvent): void; onStep (step: EpisodeStep): void; ended (outcome: RunOutcome): void }

export interface Played { store: RunStore; jobs: number; work: { now (): { waiting: number; busy: number; done: number } } }

export interface PlayWatch {
  metrics: Metrics | undefined
  /** Where the page will be; null: nobody wants it. */
  listening: Listening | null
  /** A line of progress. */
  say (line: string): void
  follow (played: Played): Following
  /** Ends once the last spans are sent. */
  close (): Promise<void>
}

/** The name of the process among nodes. */
export const playNode = 'local'

/** Addresses are listened on here. Throws OPTION_INVALID, OPTION_MISSING, INSPECT_HTTP and NODE_HTTP. */
export async function openPlayWatch (values: PlayWatchValues, io: Io): Promise<PlayWatch> {
  const log = values['log-level'] === undefined ? null : createNodeLog(io, { json: false, level: readLevel(values['log-level'], process.env), node: playNode })
  const say = (line: string): void => { if (log === null) io.err(neutral(line)); else log({ type: 'progress', line }) }
  const isServed = values.http !== undefined && values.http !== 'off'
  const watch = log === null && !isServed && !isTraced(values) ? null : await openWatch(values, playNode, log ?? (event => { if (event.type === 'traces') say(event.reason) }))
  let played: Played | null = null
  let health: ServedHealth | null = null
  let listening: Listening | null = null
  const close = async (): Promise<void> => { await Promise.allSettled([health?.close(), listening?.close(), watch?.close()]) }
  try {
    if (isServed) health = await serveHealth(values.http!, { isReady: () => played !== null, status: () => statusOf(played), metrics: watch!.metrics })
    if (health !== null) io.err(`Metrics: ${health.url}/metrics`)
    if (values.inspect !== undefined) listening = await listenForPage(values.inspect, '--inspect', values)
  } catch (error) {
    await close()
    throw error
  }
  return {
    metrics: watch?.metrics, listening, say, close,
    follow (given) {
      played = given
      if (watch !== null) measurePlay(watch.metrics, { ...given, node: playNode, version: version(), isReady: () => true, work: given.work.now })
      return followed(given.store, watch, log === null ? playView(given.store, io) : null)
    }
  }
}

function followed (store: RunStore, watch: NodeWatch | null, view: ReturnType<typeof playView> | null): Following {
  // What a run is known by among traces is there once its first work is.
  const run = { name: store.run, get submittedAt () { return store.ledger.startedAt() ?? systemClock.now() } }
  const reports = watch && createPlayReports(run, watch.report, systemClock.now)
  return {
    watch: watch?.of(run),
    onQueue (event) { view?.onQueue(event); reports?.onQueue(event) },
    onStep (step) { view?.onStep(step); reports?.onStep(step) },
    ended (outcome) { view?.end(); reports?.ended(outcome) }
  }
}

function statusOf (played: Played | null): unknown {
  if (played === null) return { node: playNode, version: version(), state: 'starting' }
  const { store, jobs, work } = played
  return { node: playNode, version: version(), state: 'playing', run: store.run, out: store.dir, jobs, ...work.now(), ledger: store.ledger.totals() }
}
