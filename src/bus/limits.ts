// The limits of the bus, by name.

export const busLimits = {
  /** How long a taker of work may be silent before it is delivered again. */
  ackWaitMs: 30_000,
  /** How long a node's entry stays without being renewed. */
  nodeTtlMs: 10_000,
  /** What the streams hold on disk, bytes; above it the writer is told BUS_FULL. */
  queueBytesMax: 256 * 2 ** 20,
  logBytesMax: 4 * 2 ** 30,
  keyValueBytesMax: 2 ** 30,
  nodesBytesMax: 16 * 2 ** 20,
  objectBytesMax: 16 * 2 ** 30,
  /** Of a message, what its subject and headers may take. */
  overheadBytes: 16 * 1024,
  /** Work that is taken and not acknowledged at a time, of one kind and arena over the whole cluster. */
  takenMax: 20_000,
  /** Requests for work that wait at a time, of one kind and arena. */
  pullsMax: 10_000,
  /** Answers of the server are waited for so long. */
  answerMsMax: 5_000,
  /** Between two tries to connect, and how long the first connection may take. */
  reconnectMs: 500,
  connectMsMax: 5_000,
  /** Signals that wait for a slow reader; the oldest are dropped. */
  signalsMax: 1_000
}
