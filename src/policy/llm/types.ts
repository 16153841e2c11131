// What a policy that is a model needs of an inference server, and what it gets. A server knows nothing of roles or tools
// beyond their schema; a scaffold knows nothing of HTTP.

/** A message of a conversation, as chat servers take them. */
export type ChatMessage =
  | { role: 'system' | 'user'; content: string }
  | { role: 'assistant'; content: string; toolCalls: AskedTool[] }
  /** The result of a native tool call. */
  | { role: 'tool'; content: string; toolCallId: string }

/** A native tool call as the model wrote it; `arguments` is its text, JSON or not. */
export interface AskedTool { id: string; name: string; arguments: string }

/** A tool as a server is told of it; `parameters` is a JSON schema. */
export interface ToolSchema { name: string; description: string; parameters: Record<string, unknown> }

export interface Sampling {
  temperature: number
  topP: number
  /** null: off. */
  topK: number | null
  seed: number | null
  /** Tokens of one completion, at most. */
  maxTokens: number
}

/** A conversation: a list, or one whose older messages are read back from elsewhere when they are asked for. */
export interface Messages {
  readonly length: number
  slice (from?: number): ChatMessage[]
  /** Characters of these messages, roughly, where they are known without reading them. */
  characters? (from: number): number
}

export interface Ask<Conversation extends Messages = Messages> {
  /** The whole conversation so far. */
  messages: Conversation
  /** null: the scaffold speaks the text protocol, and the server is told of no tools. */
  tools: readonly ToolSchema[] | null
  sampling: Sampling
  /** Id of the conversation: its turns stay with one endpoint while that is well, for the sake of its prefix cache. */
  conversation: string
  /**
   * Tokens of the conversation as the server saw and made them: the last prompt and its completion. A server that takes tokens
   * goes on from them and tokenises only what came after; null in the first turn.
   */
  tokensSoFar: Int32Array | null
  /** Messages that `tokensSoFar` stands for: those behind them are new. 0 in the first turn. */
  messagesSoFar: number
}

export interface Answer {
  text: string
  toolCalls: AskedTool[]
  /** `refused`: the server's own filter. An aborted completion is no answer: it is thrown. */
  finishReason: 'stop' | 'length' | 'tool_calls' | 'refused'
  /** As the server saw them; null where it does not say. */
  promptTokenIds: Int32Array | null
  completionTokenIds: Int32Array | null
  /** Natural logarithms, one for each completion token. */
  completionLogprobs: Float32Array | null
  /** Counts; where the server does not say, null. */
  promptTokens: number | null
  completionTokens: number | null
  cachedTokens: number | null
  /** Weights that sampled this, where the server says it. */
  policyVersion: string | null
  endpoint: string
  model: string
  /** `raw_logprobs`, `processed_logprobs` or what else the server was told; null: not known. */
  logprobsMode: string | null
  /** Why these tokens cannot be trained on; null: they can. */
  untrainable: string | null
  /** Milliseconds since 1970, of the try that was answered. */
  startedAt: number
  endedAt: number
  /** Tries that failed before. */
  retries: number
}

export interface ServerCheck {
  /** Tokens that a conversation may have: the least that an endpoint says, or null where none says any. */
  contextTokensMax: number | null
  /** Endpoints that are not well now, while others are. */
  down: { address: string; reason: string }[]
}

/**
 * Codes of what `ask` rejects with. All but the last two are faults of infrastructure: the rollout is issued again.
 *   SERVER_DOWN       no endpoint takes a connection, or every fuse is open     (retryable)
 *   SERVER_BUSY       429, or too many wait already                             (retryable)
 *   SERVER_ERROR      5xx, or a connection that broke in the middle             (retryable)
 *   SERVER_ABORTED    the server ended the completion: `abort` is never a stop  (retryable)
 *   SERVER_TIMEOUT    a deadline of ours                                        (retryable)
 *   SERVER_PROTOCOL   an answer that is not what the protocol says              (retryable)
 *   SERVER_REFUSED    401, 403, 404, 400: the request or the key is wrong, and will be the next time   (not retryable)
 *   CONTEXT_EXHAUSTED the conversation does not fit the model: the policy's own fault, scored
 */
export interface ModelServer {
  /** Protocol and address, for people: no secrets. */
  readonly name: string
  readonly model: string
  /** Whether the server turns tools into native calls. */
  readonly nativeTools: boolean
  ask (ask: Ask, signal: AbortSignal): Promise<Answer>
  /**
   * Looks at every endpoint before anything is played. Rejects where nothing can be: OPTION_MODEL (an endpoint serves other models,
   * which are named), SERVER_REFUSED (the key), or what `ask` would reject with where no endpoint is well.
   */
  check (): Promise<ServerCheck>
  close (): Promise<void>
}
