// Every limit of the inference clients, with its default. Times are in milliseconds.

export interface ServerLimits {
  /** Tries of one turn, the first included. */
  triesMax: number
  /** Deadline of one turn: waiting for a place, every try and the pauses between them. */
  turnMsMax: number
  connectMsMax: number
  /** Deadline of what is asked beside the turns: health, models, metrics. */
  sideMsMax: number
  /** Pause after the first failed try, at most, and after any. The pause is drawn between half of it and all of it. */
  backoffMsMin: number
  backoffMsMax: number
  /** A server that asks for a longer pause gets this one. */
  retryAfterMsMax: number
  /** Largest answer, and largest answer that is an error. */
  answerBytesMax: number
  errorBytesMax: number
  /** Largest event of a stream. */
  eventBytesMax: number
  /** Native tool calls of one answer. */
  toolCallsMax: number
  /** Turns under way on one endpoint: at first, and at most. In between, the endpoint's own queue decides. */
  concurrencyStart: number
  concurrencyMax: number
  /** Connections to one endpoint beyond `concurrencyMax`, for what is asked beside the turns. */
  sideConnections: number
  /** Turns that wait for a place; one more is SERVER_BUSY. */
  waitingMax: number
  /** Conversations whose endpoint is remembered; the one that has been quiet for longest is forgotten. */
  conversationsMax: number
  /** Failures in a row that open the fuse of an endpoint, and for how long it is open: at first, and at most. */
  fuseFailures: number
  fuseMsMin: number
  fuseMsMax: number
  /** Between two looks at an endpoint's metrics; between two times that its concurrency shrinks for a 429. */
  metricsMsMin: number
  shrinkMsMin: number
  /** Share of an endpoint's KV cache from which on it gets less to do. */
  kvUsageMax: number
  /** Tokens that a template puts behind an assistant's message, at most: `<|im_end|>\n` are two. */
  closingTokensMax: number
}

export const serverLimits: ServerLimits = {
  triesMax: 5,
  turnMsMax: 20 * 60_000,
  connectMsMax: 10_000,
  sideMsMax: 10_000,
  backoffMsMin: 500,
  backoffMsMax: 20_000,
  retryAfterMsMax: 60_000,
  answerBytesMax: 64 * 2 ** 20,
  errorBytesMax: 64 * 2 ** 10,
  eventBytesMax: 16 * 2 ** 20,
  toolCallsMax: 64,
  concurrencyStart: 64,
  concurrencyMax: 1024,
  sideConnections: 4,
  waitingMax: 4096,
  conversationsMax: 65_536,
  fuseFailures: 5,
  fuseMsMin: 1_000,
  fuseMsMax: 60_000,
  metricsMsMin: 2_000,
  shrinkMsMin: 1_000,
  kvUsageMax: 0.95,
  closingTokensMax: 8
}
