// Every limit of the recording proxy, with its default. Times are in milliseconds. Those of its own calls to the inference
// server are in ../servers/limits.ts.

export interface ProxyLimits {
  /** Connections that are open at a time; one more is closed. */
  connectionsMax: number
  /** Largest body of a request. */
  requestBytesMax: number
  /** Time that a request may take to come in whole. */
  requestMsMax: number
  /** Time that a connection without a request is kept open. */
  keepAliveMsMax: number
  /** Messages of one request, tool calls among them. */
  messagesMax: number
  toolsMax: number
  /** Attempts that are open at a time. */
  attemptsMax: number
  /** Where no more fit, an attempt that has been quiet for so long is ended: its agent is gone. */
  idleMsMax: number
  /** Attempts that are remembered as finished, beside those whose records are there. */
  finishedMax: number
  /** Calls of one attempt, from its first to its last, and at a time. */
  callsMax: number
  inFlightMax: number
  /** Conversations of one attempt that can be gone on from; the one that was quiet for longest is forgotten, not its tokens. */
  conversationsMax: number
  /** A stream that has nothing to say for so long is opened, and kept alive as often. Until then a fault is a status. */
  quietMsMax: number
  /** Time that answers on their way have when the proxy closes. */
  lingerMsMax: number
}

export const proxyLimits: ProxyLimits = {
  connectionsMax: 4096,
  requestBytesMax: 32 * 2 ** 20,
  requestMsMax: 60_000,
  keepAliveMsMax: 75_000,
  messagesMax: 20_000,
  toolsMax: 1024,
  attemptsMax: 1024,
  idleMsMax: 60 * 60_000,
  finishedMax: 65_536,
  callsMax: 2_000,
  inFlightMax: 32,
  conversationsMax: 64,
  quietMsMax: 15_000,
  lingerMsMax: 1_000
}
