// A receiver of OTLP over HTTP with JSON: takes spans as a collector does, and can be slow or refuse.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

interface Value { stringValue?: string; intValue?: number | string; doubleValue?: number; boolValue?: boolean; arrayValue?: { values: Value[] } }
interface Attribute { key: string; value: Value }

export interface ReceivedSpan {
  traceId: string
  spanId: string
  parentSpanId: string
  name: string
  kind: number
  startMs: number
  endMs: number
  attributes: Record<string, unknown>
  status: { code?: number; message?: string }
  resource: Record<string, unknown>
}

export interface OtlpReceiver {
  url: string
  spans: ReceivedSpan[]
  requests: number
  /** Answers of requests from now on. */
  status: number
  delayMs: number
}

export async function startReceiver (t: Test): Promise<OtlpReceiver> {
  const receiver: OtlpReceiver = { url: '', spans: [], requests: 0, status: 200, delayMs: 0 }
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (bytes: Buffer) => pieces.push(bytes))
    request.on('end', () => {
      receiver.requests++
      const isRight = request.method === 'POST' && request.url === '/v1/traces' && request.headers['content-type'] === 'application/json'
      const status = isRight ? receiver.status : 400
      if (status === 200) receiver.spans.push(...readSpans(JSON.parse(Buffer.concat(pieces).toString('utf8'))))
      setTimeout(() => {
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end('{"partialSuccess":{}}')
      }, receiver.delayMs)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => { server.closeAllConnections(); await new Promise(resolve => server.close(resolve)) })
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return receiver
}

function readSpans (body: any): ReceivedSpan[] {
  return body.resourceSpans.flatMap((group: any) => group.scopeSpans.flatMap((scope: any) => scope.spans.map((span: any): ReceivedSpan => ({
    traceId: span.traceId, spanId: span.spanId, parentSpanId: span.parentSpanId ?? '', name: span.name, kind: span.kind,
    startMs: Number(BigInt(span.startTimeUnixNano) / 1_000_000n), endMs: Number(BigInt(span.endTimeUnixNano) / 1_000_000n),
    attributes: readAttributes(span.attributes), status: span.status ?? {}, resource: readAttributes(group.resource.attributes)
  }))))
}

const readAttributes = (attributes: Attribute[]): Record<string, unknown> => Object.fromEntries(attributes.map(({ key, value }) => [key, readValue(value)]))

function readValue (value: Value): unknown {
  if (value.arrayValue !== undefined) return value.arrayValue.values.map(readValue)
  if (value.intValue !== undefined) return Number(value.intValue)
  return value.stringValue ?? value.doubleValue ?? value.boolValue
}
