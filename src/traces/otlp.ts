// Spans over OTLP (HTTP, JSON), by OpenTelemetry's own exporter. Loaded only where traces are on.

import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace as api, TraceFlags, type Context } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AlwaysOnSampler, BatchSpanProcessor, TracerProvider, type ReadableSpan, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace'
import { SparError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { traceLimits, type Span, type SpanCounts, type Tracer } from './types.ts'

export interface OtlpOptions {
  /** Base address of the receiver, or the whole one with `/v1/traces`; null: as OTEL_EXPORTER_OTLP_ENDPOINT and its kin say. */
  url: string | null
  /** What the spans are of: `service.name` and so on. */
  resource: Record<string, string>
  clock: Clock
  limits?: Partial<typeof traceLimits>
  /** Told now and then when spans are dropped, or the receiver does not take them. */
  onTrouble? (reason: string): void
}

/** Throws OPTION_INVALID. */
export function createOtlpTracer ({ url, resource, clock, limits: given, onTrouble = () => {} }: OtlpOptions): Tracer {
  const limits = { ...traceLimits, ...given }
  const counts: SpanCounts = { exported: 0, dropped: 0, failed: 0 }
  let toldAt = -Infinity
  const trouble = (what: string): void => {
    if (clock.now() - toldAt < limits.troubleEveryMs) return
    toldAt = clock.now()
    onTrouble(`Cannot export spans: ${what} (${counts.exported} exported, ${counts.dropped} dropped, ${counts.failed} failed so far)`)
  }
  const exporter = new OTLPTraceExporter({ ...url === null ? {} : { url: addressOf(url) }, timeoutMillis: limits.requestMsMax })
  const ids = new GivenIds()
  const provider = new TracerProvider({
    resource: resourceFromAttributes(resource),
    sampler: new AlwaysOnSampler(),
    spanLimits: { attributeValueLengthLimit: limits.textCharsMax + 512 },
    idGenerator: ids,
    spanProcessors: [bounded(exporter, limits, counts, trouble)]
  })
  const tracer = provider.getTracer('spar')
  return {
    export (span) {
      ids.next = span
      const opened = tracer.startSpan(span.name, { kind: span.kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL, startTime: new Date(span.startedAt), attributes: span.attributes }, contextOf(span))
      if (span.error !== null) opened.setStatus({ code: SpanStatusCode.ERROR, message: `${span.error.code}: ${span.error.message}` })
      opened.end(new Date(Math.max(span.startedAt, span.endedAt)))
    },
    counts: () => ({ ...counts }),
    // No request outlives `requestMsMax`, and all that wait go at once.
    close: async () => { await provider.shutdown().catch(() => {}) }
  }
}

/** The SDK asks for ids when a span begins: they are those of the span that is being told. */
class GivenIds {
  next: Pick<Span, 'trace' | 'id'> = { trace: '', id: '' }
  generateTraceId = (): string => this.next.trace
  generateSpanId = (): string => this.next.id
}

const contextOf = ({ trace, parent }: Span): Context =>
  parent === null ? ROOT_CONTEXT : api.setSpanContext(ROOT_CONTEXT, { traceId: trace, spanId: parent, traceFlags: TraceFlags.SAMPLED, isRemote: true })

/** The SDK's batches, with a count of what waits: above `queueMax` a span is dropped, and that is said. */
function bounded (exporter: SpanExporter, limits: typeof traceLimits, counts: SpanCounts, trouble: (what: string) => void): SpanProcessor {
  let pending = 0
  const counted: SpanExporter = {
    export (spans, done) {
      exporter.export(spans, result => {
        pending -= spans.length
        if (result.error === undefined && result.code === 0) counts.exported += spans.length
        else {
          counts.failed += spans.length
          trouble(result.error?.message ?? 'the receiver refused them')
        }
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => await exporter.forceFlush?.()
  }
  const batches = new BatchSpanProcessor({ exporter: counted, maxQueueSize: limits.queueMax, maxExportBatchSize: Math.min(limits.batchMax, limits.queueMax), scheduledDelayMillis: limits.delayMs, exportTimeoutMillis: 2 * limits.requestMsMax })
  return {
    onStart () {},
    onEnd (span: ReadableSpan) {
      if (pending < limits.queueMax) {
        pending++
        batches.onEnd(span)
        return
      }
      counts.dropped++
      trouble(`${limits.queueMax} wait already (queueMax)`)
    },
    forceFlush: () => batches.forceFlush(),
    shutdown: () => batches.shutdown()
  }
}

function addressOf (given: string): string {
  let url: URL
  try {
    url = new URL(given)
  } catch {
    throw invalid(given)
  }
  if (!/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') throw invalid(given.replace(/\/\/[^/@]*@/, '//…@'))
  if (!url.pathname.endsWith('/v1/traces')) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`
  return url.href
}

const invalid = (given: string): SparError =>
  new SparError('OPTION_INVALID', `Cannot use --otlp "${given}": it takes an address such as http://127.0.0.1:4318, without credentials. Those go into OTEL_EXPORTER_OTLP_HEADERS`)
