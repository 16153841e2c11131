// The traces of a process, where somebody has asked for them: what that takes is loaded only then.

import { systemClock } from '../clock.ts'
import type { Metrics } from '../metrics/types.ts'
import { parseNumber } from '../run/options.ts'
import type { Tracer } from '../traces/types.ts'
import type { TraceOptions } from '../traces/work.ts'
import { version } from './version.ts'

export const traceOptionTypes = { otlp: { type: 'string' }, 'otlp-content': { type: 'boolean' }, 'otlp-share': { type: 'string' } } as const

export const traceUsage = `  --otlp url               traces over OTLP (HTTP, JSON) to this address (OTEL_EXPORTER_OTLP_ENDPOINT); default: none
  --otlp-share 1           of the episodes that are traced, 0 to 1
  --otlp-content           messages and tool results go along: they may be long, and a model wrote them`

export interface TraceValues { otlp?: string | undefined; 'otlp-content'?: boolean | undefined; 'otlp-share'?: string | undefined }

export interface NodeTraces { tracer: Tracer; options: TraceOptions }

/** Whether somebody has asked for traces. */
export const isTraced = ({ otlp }: TraceValues): boolean => otlp !== undefined || ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'].some(name => process.env[name])

/** null: nobody has asked for traces. Throws OPTION_INVALID. */
export async function openTraces (values: TraceValues, node: string, metrics: Metrics, onTrouble: (reason: string) => void): Promise<NodeTraces | null> {
  const { env } = process
  const share = values['otlp-share'] === undefined ? 1 : parseNumber('otlp-share', values['otlp-share'], 0, 1)
  if (!isTraced(values)) return null
  const { createOtlpTracer } = await import('../traces/otlp.ts')
  const tracer = createOtlpTracer({
    url: values.otlp ?? null, clock: systemClock, onTrouble,
    resource: { 'service.name': env['OTEL_SERVICE_NAME'] || 'spar', 'service.version': version(), 'service.instance.id': node }
  })
  metrics.read('spar_trace_spans_total', () => Object.entries(tracer.counts()).map(([outcome, value]) => ({ labels: { outcome }, value })))
  return { tracer, options: { share, content: values['otlp-content'] === true || env['OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT']?.toLowerCase() === 'true' } }
}
