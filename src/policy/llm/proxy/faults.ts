// What a client is told when it gets no answer: a status, a kind that each dialect has its own word for, and whether to come
// again. Faults of the proxy and of the inference server behind it stand in one table.
//
// 1. A client never learns of our key or our address: what the server says of either is not passed on.
// 2. A key that the server refuses is our fault, never the client's: 401 and 403 would make it ask its user for another.
// 3. A conversation that is too long is told in the words that clients look for, so that they make it shorter.

import { SparError, toPlain } from '../../../errors.ts'

export type FaultKind = 'invalid' | 'too_long' | 'too_large' | 'not_found' | 'busy' | 'overloaded' | 'timeout' | 'failed'

export interface Told {
  status: number
  kind: FaultKind
  message: string
  /** Whether the same request may succeed later. */
  retryable: boolean
  retryAfterMs: number | null
  /** Of a conversation that is too long, where they are known. */
  tokens: { prompt: number; most: number } | null
}

export type ProxyCode =
  | 'PROXY_REQUEST' | 'PROXY_NOT_FOUND' | 'PROXY_METHOD' | 'PROXY_MEDIA' | 'PROXY_TOO_LARGE' | 'PROXY_FULL' | 'PROXY_BUSY' | 'PROXY_SPENT' | 'PROXY_FINISHED' | 'PROXY_CLOSED'

const rules: Record<string, { status: number; kind: FaultKind; retryable?: true }> = {
  PROXY_REQUEST: { status: 400, kind: 'invalid' },
  PROXY_NOT_FOUND: { status: 404, kind: 'not_found' },
  PROXY_METHOD: { status: 405, kind: 'invalid' },
  PROXY_MEDIA: { status: 415, kind: 'invalid' },
  PROXY_TOO_LARGE: { status: 413, kind: 'too_large' },
  /** No more attempts, or no more calls of one at a time. */
  PROXY_FULL: { status: 429, kind: 'busy', retryable: true },
  PROXY_BUSY: { status: 429, kind: 'busy', retryable: true },
  PROXY_SPENT: { status: 400, kind: 'invalid' },
  PROXY_FINISHED: { status: 409, kind: 'invalid' },
  PROXY_CLOSED: { status: 503, kind: 'overloaded', retryable: true },
  STORE_WRITE_FAILED: { status: 507, kind: 'failed', retryable: true },
  SERVER_DOWN: { status: 503, kind: 'overloaded', retryable: true },
  SERVER_BUSY: { status: 429, kind: 'busy', retryable: true },
  SERVER_ERROR: { status: 502, kind: 'failed', retryable: true },
  SERVER_ABORTED: { status: 503, kind: 'overloaded', retryable: true },
  SERVER_TIMEOUT: { status: 504, kind: 'timeout', retryable: true },
  SERVER_PROTOCOL: { status: 502, kind: 'failed', retryable: true },
  CONTEXT_EXHAUSTED: { status: 400, kind: 'too_long' },
  /** The call was ended by us: a client that went away hears nothing of it. */
  ABORTED: { status: 503, kind: 'overloaded', retryable: true }
}

const own = (code: ProxyCode, message: string): SparError => new SparError(code, message, { retryable: rules[code]!.retryable ?? false })
export const fault = own
export const badRequest = (why: string): SparError => own('PROXY_REQUEST', `Cannot take the request: ${why}`)

/** What a client is told of anything that was thrown. */
export function told (thrown: unknown): Told {
  const { code, message, data } = toPlain(thrown)
  const retryAfterMs = typeof data['retryAfterMs'] === 'number' ? data['retryAfterMs'] : null
  if (code === 'SERVER_REFUSED') return refusal(data['status'], message)
  const rule = rules[code]
  // A defect is ours: its message may say anything.
  if (rule === undefined) return { status: 500, kind: 'failed', message: 'The proxy failed; its log says why.', retryable: false, retryAfterMs: null, tokens: null }
  return { status: rule.status, kind: rule.kind, message: sayable(code, message), retryable: rule.retryable ?? false, retryAfterMs, tokens: code === 'CONTEXT_EXHAUSTED' ? tokensOf(message, data) : null }
}

/** A request that the inference server refused: the client's own fault only where the request was. */
function refusal (status: unknown, message: string): Told {
  const kept = { retryable: false, retryAfterMs: null, tokens: null }
  if (status === 400 || status === 422) return { status: 400, kind: 'invalid', message: sayable('SERVER_REFUSED', message), ...kept }
  if (status === 413) return { status: 413, kind: 'too_large', message: 'The inference server takes no request of this size.', ...kept }
  return { status: 500, kind: 'failed', message: `The inference server refuses the proxy (status ${String(status)}): its log says why.`, ...kept }
}

const words: Record<string, string> = {
  SERVER_DOWN: 'The inference server takes no connection.',
  SERVER_BUSY: 'The inference server is busy.',
  SERVER_ERROR: 'The inference server failed.',
  SERVER_ABORTED: 'The inference server ended the completion before its end.',
  SERVER_TIMEOUT: 'The inference server took too long.',
  SERVER_PROTOCOL: 'The inference server gave an answer that is none.',
  CONTEXT_EXHAUSTED: 'The conversation does not fit the context of the model.',
  STORE_WRITE_FAILED: 'The record of the attempt cannot be written; the log of the proxy says why.',
  ABORTED: 'The proxy ended the call.'
}

/** Our own messages are for the client. Of what a server refused, its own words say what is wrong with the request. */
function sayable (code: string, message: string): string {
  if (code !== 'SERVER_REFUSED') return words[code] ?? message
  const quoted = /says "(.*)"/s.exec(message)?.[1]
  return `The inference server refuses the request${quoted === undefined ? '.' : `: ${quoted}`}`
}

function tokensOf (message: string, data: Record<string, unknown>): Told['tokens'] {
  const number = (given: unknown, said: RegExp): number => typeof given === 'number' ? given : Number(said.exec(message)?.[1])
  const prompt = number(data['promptTokens'], /(\d+) (?:in the (?:messages|prompt)|input tokens|tokens from the input)/)
  const most = number(data['contextTokensMax'], /maximum context length (?:is|of) (\d+)/)
  return Number.isSafeInteger(prompt) && Number.isSafeInteger(most) ? { prompt, most } : null
}
