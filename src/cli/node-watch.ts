// Who watches a node, or a process that plays a run: its log, its metrics and its traces, as one thing that the rest of the command hands on.

import type { NodeReport } from '../cluster/report.ts'
import { systemClock } from '../clock.ts'
import { countReport } from '../metrics/node.ts'
import { createMetrics } from '../metrics/registry.ts'
import { countRollouts } from '../metrics/rollouts.ts'
import type { Metrics } from '../metrics/types.ts'
import { joinWatches, type WorkWatch } from '../rollout/watch.ts'
import { traceDelivery, traceRollouts } from '../traces/work.ts'
import type { NodeLog } from './node-log.ts'
import { openTraces, traceOptionTypes, traceUsage, type TraceValues } from './node-traces.ts'

export const watchOptionTypes = { ...traceOptionTypes, 'log-level': { type: 'string' }, json: { type: 'boolean' } } as const

export const watchUsage = `${traceUsage}
  --log-level info         trace, debug, info, warn, error, fatal or silent (SPAR_LOG_LEVEL)
  --json                   the log on standard output, one object a line. Without it the log goes to standard error: for people on
                           a terminal, else one object a line`

export interface NodeWatch {
  log: NodeLog
  metrics: Metrics
  /** Logs, counts and traces what the node says. */
  report (event: NodeReport): void
  /** Who looks on while rollouts of a run are played. */
  of (run: { name: string; submittedAt: number }): WorkWatch | undefined
  close (): Promise<void>
}

/** Throws OPTION_INVALID. */
export async function openWatch (values: TraceValues, node: string, log: NodeLog): Promise<NodeWatch> {
  const metrics = createMetrics({ process: true })
  const counted = countRollouts(metrics)
  const traces = await openTraces(values, node, metrics, reason => log({ type: 'traces', reason }))
  return {
    log, metrics,
    report (event) {
      log(event)
      countReport(metrics, event)
      if (traces !== null && event.type === 'delivered') traceDelivery(traces.tracer, event, traces.options)
    },
    of: run => joinWatches(traces === null ? [counted] : [counted, traceRollouts(traces.tracer, run, traces.options, systemClock.now)]),
    close: async () => await traces?.tracer.close()
  }
}
