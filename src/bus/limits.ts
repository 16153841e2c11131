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
  /** A request for work is heard so much longer than the server waits. */
  pullMarginMs: 2_000,
  /** Answers of the server are waited for so long. */
  answerMsMax: 5_000,
  /** How often it is looked whether an answer is overdue. */
  deadlineStepMs: 100,
  /** Between two tries to connect, and how long the first connection may take. */
  reconnectMs: 500,
  /** Between two looks for a stream that another node is just making. */
  madeByAnotherMs: 50,
  connectMsMax: 5_000,
  /** What a reader of a stream asks for at a time, and how long it waits for it. */
  readBatch: 500,
  readBatchBytes: 8 * 2 ** 20,
  readWaitMs: 30_000,
  /** How often the server says that it has nothing; after three that did not come another consumer is made. */
  heartbeatMs: 2_000,
  /** The server forgets the consumer of a reader that is gone. */
  readerIdleMs: 30_000,
  /** Objects travel in chunks, so many at a time. */
  chunkBytes: 128 * 1024,
  chunksInFlight: 16,
  /** Signals that wait for a slow reader; the oldest are dropped. */
  signalsMax: 1_000
}

const onDisk = ['queueBytesMax', 'logBytesMax', 'logBytesMax', 'keyValueBytesMax', 'keyValueBytesMax', 'keyValueBytesMax', 'objectBytesMax'] as const

/** Bytes on disk that all streams together reserve: the queue, two logs, three buckets and the objects. */
export const storeBytesMax = onDisk.reduce((sum, name) => sum + busLimits[name], 0)

/** The limits of streams that together reserve so many bytes on disk, in the proportions of the defaults. */
export const storeLimits = (bytes: number): Partial<typeof busLimits> =>
  Object.fromEntries(onDisk.map(name => [name, Math.floor(busLimits[name] * bytes / storeBytesMax)]))
