// What can go wrong with the fake server, on demand.

export type Fault =
  /** Any status, with a body and headers of one's own. */
  | { kind: 'status'; status: number; body?: unknown; headers?: Record<string, string> }
  /** The connection is closed before a byte of the answer. */
  | { kind: 'reset' }
  /** It never answers. */
  | { kind: 'hang' }
  /** The answer comes a few bytes at a time. */
  | { kind: 'drip'; bytes: number; everyMs: number }
  /** The connection breaks in the middle of the answer. */
  | { kind: 'cut' }
  /** An answer of status 200 that is half a JSON text. */
  | { kind: 'truncated' }
  | { kind: 'null tokens' }
  | { kind: 'no logprobs' }
  | { kind: 'short logprobs' }
  | { kind: 'abort' }
  | { kind: 'filtered' }
  /** An answer of so many bytes. */
  | { kind: 'huge'; bytes: number }
  | { kind: 'finish'; reason: unknown }

export const status = (code: number, body?: unknown, headers?: Record<string, string>): Fault =>
  ({ kind: 'status', status: code, ...body === undefined ? {} : { body }, ...headers === undefined ? {} : { headers } })

/** The words of vLLM for a conversation that leaves no room. */
export const vllmTooLong = (max: number, prompt: number, completion: number): Fault => status(400, {
  object: 'error', type: 'BadRequestError', param: null, code: 400,
  message: `This model's maximum context length is ${max} tokens. However, you requested ${prompt + completion} tokens (${prompt} in the messages, ${completion} in the completion). Please reduce the length of the messages or completion.`
})

export const sglangTooLong = (max: number, prompt: number): Fault => status(400, { error: { message: `The input (${prompt} tokens) is longer than the model's context length (${max} tokens).` } })
