// What the bridge needs of a bus beside its objects: core NATS, at most once and in order. `nats` and `memory` are its twins.

export interface WireMessage {
  subject: string
  /** They hold while the message is being heard. */
  bytes: Uint8Array
  /** Where an answer goes; '' for nowhere. */
  reply: string
  /** Nobody listens to the subject that was written to; the message holds nothing else. */
  isUnserved: boolean
}

export interface Endpoint { name: string; subject: string; hear (message: WireMessage): void }
export interface Served { name: string; version: string; description: string; endpoints: Endpoint[] }

export interface WireWatch {
  /** The connection was lost or closed: what was said meanwhile is not heard. */
  lost (): void
  /** The server does not let this connection write to a subject. */
  denied (subject: string): void
}

export interface Wire {
  /** Of a message. */
  readonly payloadBytesMax: number
  readonly isUp: boolean
  /** Aborts when the bus is closed. */
  readonly closed: AbortSignal
  /** Where a method is called. */
  subjectOf (service: string, method: string, instance?: string | null): string
  /** A subject of one's own: whoever asks listens below it. Who calls and who is called have theirs in different places, so that each can be let write to the other alone. */
  inbox (side: 'client' | 'server'): string
  /** Copies what it is given. Dropped while there is no connection. */
  publish (subject: string, bytes: Uint8Array, reply?: string): void
  /** Everything below a subject. The answer stops listening. */
  listenBelow (subject: string, hear: (message: WireMessage) => void): () => void
  /** Instances of a service share its calls. The answer stops serving. */
  serve (served: Served): Promise<() => Promise<void>>
  /** The answer stops watching. */
  watch (watch: WireWatch): () => void
}
