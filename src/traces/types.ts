// Traces as a port: spans are told when they are over. Their ids follow from what they are of, so that every node knows the
// span of a run or an episode without being told, and spans of many nodes are linked although nothing is carried between them.

export interface Span {
  /** 32 and 16 hex digits. */
  trace: string
  id: string
  /** null: the root of its trace. */
  parent: string | null
  /** Few and short; what is special about one stands in the attributes. */
  name: string
  /** `client`: it asks another system. */
  kind: 'internal' | 'client'
  /** Milliseconds since 1970. */
  startedAt: number
  endedAt: number
  attributes: Record<string, string | number | boolean | string[]>
  error: { code: string; message: string } | null
}

export interface SpanCounts { exported: number; dropped: number; failed: number }

export interface Tracer {
  /** Never waits and never throws: above the limit the span is dropped, and counted. */
  export (span: Span): void
  counts (): SpanCounts
  /** Sends what waits, within `requestMsMax`. */
  close (): Promise<void>
}

export const traceLimits = {
  /** Spans that wait, or are on their way; what comes above is dropped. */
  queueMax: 8_192,
  /** Spans of one request. */
  batchMax: 512,
  /** How long spans wait for others. */
  delayMs: 1_000,
  /** A request that takes longer is given up, with its tries: so long the end of a node may wait for its last spans. */
  requestMsMax: 5_000,
  /** Characters of an attribute, of messages too where they are exported. */
  textCharsMax: 8_192,
  /** Of a fault's text. */
  reasonCharsMax: 512,
  /** Trouble with the receiver is told no more often than this. */
  troubleEveryMs: 60_000
}
