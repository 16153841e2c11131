// The limits of the bridge, by name.

export const bridgeLimits = {
  /** Calls that a server has under way at a time; above it whoever opens another is told RESOURCE_EXHAUSTED. */
  callsMax: 1_000,
  /** A side that has heard nothing of a call for so long asks; after as long again it gives the call up. */
  keepAliveMs: 10_000,
  /** A unary call that is not answered within this is accepted, so that its client knows where to cancel it. */
  acceptMs: 100,
  /** What a reader that takes nothing is sent at most, but for one message that is larger. */
  windowBytes: 8 * 2 ** 20,
  /** A stream lets others run after so many bytes. */
  burstBytes: 256 * 1024,
  /** Of metadata and trailers, as they are encoded. */
  metadataBytesMax: 8 * 1024,
  /** Characters of a status's text; the rest is cut off. */
  textMax: 1_024,
  /** Levels of lists and maps in a message. */
  depthMax: 64,
  /** Of one message, wherever it lies. */
  messageBytesMax: 256 * 2 ** 20,
  /** An object of the bus that a message lies in is removed by its writer after so long, where its reader has not. */
  objectMs: 60_000,
  /** Messages are written into one buffer; where a large one has made it larger, it is kept up to so many bytes. */
  scratchBytes: 64 * 1024,
  scratchBytesKept: 2 * 2 ** 20,
  /** How often it is looked whether a deadline has passed or a call is silent. */
  stepMs: 50
}

export type BridgeLimits = typeof bridgeLimits
