// What can go wrong with an inference server, as codes. Which code a status or a broken connection has, which codes are tried
// again in place, and which are held against the endpoint stands in this file alone. What a server says is quoted, cut, and
// without the key: servers like to repeat a wrong key.

import { SparError } from '../../../errors.ts'

export type ServerCode =
  | 'SERVER_DOWN' | 'SERVER_BUSY' | 'SERVER_ERROR' | 'SERVER_ABORTED' | 'SERVER_TIMEOUT' | 'SERVER_PROTOCOL' | 'SERVER_REFUSED' | 'CONTEXT_EXHAUSTED'

interface Rule {
  /** The same rollout, issued again, may succeed. */
  retryable: boolean
  /** Tried again within the turn. Sampling has no effect but its cost, so whatever brought no answer may be. */
  triedAgain: boolean
  /** Counts for the fuse. Load, an update of the weights and wrong requests are not the endpoint's failure. */
  blamed: boolean
}

const rules: Record<ServerCode, Rule> = {
  SERVER_DOWN: { retryable: true, triedAgain: true, blamed: true },
  SERVER_BUSY: { retryable: true, triedAgain: true, blamed: false },
  SERVER_ERROR: { retryable: true, triedAgain: true, blamed: true },
  SERVER_ABORTED: { retryable: true, triedAgain: true, blamed: false },
  SERVER_TIMEOUT: { retryable: true, triedAgain: false, blamed: true },
  SERVER_PROTOCOL: { retryable: true, triedAgain: false, blamed: true },
  SERVER_REFUSED: { retryable: false, triedAgain: false, blamed: false },
  CONTEXT_EXHAUSTED: { retryable: false, triedAgain: false, blamed: false }
}

const ruleOf = (error: unknown): Rule | null => error instanceof SparError ? rules[error.code as ServerCode] ?? null : null
/** A full queue of ours is final: whoever waited beside it, to come again, would only be waiting elsewhere. */
export const isTriedAgain = (error: unknown): boolean => (ruleOf(error)?.triedAgain ?? false) && (error as SparError).data['waiting'] === undefined
export const isBlamed = (error: unknown): boolean => ruleOf(error)?.blamed ?? false

/** `what` could not be done, and `why`; `data` is plain and holds no secrets. */
export const fault = (code: ServerCode, what: string, why: string, data: Record<string, unknown> = {}): SparError =>
  new SparError(code, `Cannot ${what}: ${why}`, { retryable: rules[code].retryable, data })

export const cancelled = (): SparError => new SparError('ABORTED', 'Cannot finish the turn: it was cancelled', { retryable: true })

const quoteLength = 300

/** Takes the key out of whatever a server or a library says. */
export function createRedactor (key: string | null): (text: string) => string {
  if (key === null) return text => text
  const forms = [...new Set([key, JSON.stringify(key).slice(1, -1), encodeURIComponent(key)])]
  return text => forms.reduce((clean, form) => clean.replaceAll(form, '***'), text)
}

/** What a server's error body says, on one line: OpenAI's form, vLLM's, SGLang's, or the text itself. */
export function quote (body: string): string {
  let said: unknown = body
  try {
    const parsed = JSON.parse(body) as { error?: { message?: unknown } | string; message?: unknown; detail?: unknown } | null
    said = (typeof parsed?.error === 'object' ? parsed.error?.message : parsed?.error) ?? parsed?.message ?? parsed?.detail ?? body
  } catch { /* Not JSON: the text it is. */ }
  const line = (typeof said === 'string' ? said : JSON.stringify(said)).replace(/\s+/g, ' ').trim()
  return line.length > quoteLength ? `${line.slice(0, quoteLength)} ...` : line
}

// Servers have no code for a conversation that is too long, only words: OpenAI and vLLM, llama.cpp, SGLang.
const tooLong = /context_length_exceeded|maximum context length|model's context length|exceeds? the (?:available )?context|exceed context window|longer than the maximum model length|exceeds the maximum allowed length/i

export function ofStatus (what: string, status: number, said: string, retryAfterMs: number | null): SparError {
  const why = `it answers with status ${status}${said === '' ? '' : ` and says "${said}"`}`
  if ([400, 413, 422].includes(status) && tooLong.test(said)) return fault('CONTEXT_EXHAUSTED', what, `the conversation is too long for the model. It says "${said}"`, { status })
  if (status === 429) return fault('SERVER_BUSY', what, why, { status, retryAfterMs })
  // 503 and its like may carry Retry-After as well; 408 is the server's own deadline, 425 asks to come again.
  if (status >= 500 || status === 408 || status === 425) return fault('SERVER_ERROR', what, why, { status, retryAfterMs })
  return fault('SERVER_REFUSED', what, `${why}${status === 401 || status === 403 ? '. Check the key in the environment' : ''}`, { status })
}

// Before a connection stands, nothing was asked; after it, the answer is lost.
const unreached = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ETIMEDOUT|EMFILE|UND_ERR_CONNECT_TIMEOUT|ERR_TLS.*|ERR_SSL.*|CERT.*|.*_CERT.*|UNABLE_TO_.*|DEPTH_ZERO.*)$/

export function ofConnection (what: string, error: unknown, redact: (text: string) => string): SparError {
  if (error instanceof SparError) return error
  const { code = '', message = '', errors } = error as NodeJS.ErrnoException & { errors?: NodeJS.ErrnoException[] }
  const reason = code || errors?.[0]?.code || ''
  const why = redact(message || errors?.[0]?.message || reason || String(error))
  if (unreached.test(reason)) return fault('SERVER_DOWN', what, `no connection (${why})`)
  return fault('SERVER_ERROR', what, `the connection broke before the answer was whole (${why})`)
}

/**
 * Tokens that are left for a completion, read off the words of a server that refused a request as too long: the prompt may fit
 * where prompt and `max_tokens` together do not. null: it does not say.
 */
export function roomLeft (said: string): number | null {
  const most = /maximum context length (?:is|of) (\d+)/.exec(said)?.[1]
  const prompt = /(\d+) (?:in the (?:messages|prompt)|input tokens|tokens from the input)/.exec(said)?.[1]
  return most === undefined || prompt === undefined ? null : Number(most) - Number(prompt)
}
