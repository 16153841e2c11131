// The two ends of what streams in one direction: `Sender` writes no more than it was given credit for, `Receiver` keeps what its
// reader has not taken, and gives credit back.
//
// S1. What was sent and not given back is at most the window, but for one message that was sent while at least half of the
//     window was free.
// S2. A reader that has taken everything keeps back less than an eighth of the window: by S1 every message can be sent, and what
//     is sent follows what is taken closely.

import type { Count } from '../metrics/types.ts'
import { encodeFrame, kinds, type Carried } from './frame.ts'
import type { Parcels } from './parcels.ts'
import { BridgeStatus } from './status.ts'

export interface SenderOptions {
  parcels: Parcels
  burstBytes: number
  /** Of messages that waited for credit. */
  waits: Count
  payloadBytesMax (): number
  /** Of the next frame that is counted. */
  sequence (): number
  /** Writes a frame that is counted. */
  publish (bytes: Uint8Array): void
}

export class Sender {
  readonly #options: SenderOptions
  /** Null until the other side has said it. */
  #window: number | null = null
  #credit = 0
  /** Credit that came after the window. */
  #granted = 0
  /** Sent since others ran. */
  #burst = 0
  #isOver = false
  #wake: () => void = () => {}

  constructor (options: SenderOptions) { this.#options = options }

  /** The reader's window, once. */
  open (bytes: number): void {
    this.#window ??= this.#credit = bytes
    this.#wake()
  }

  /** Credit, and how much that is in all where the reader says it: what was lost on the way is made up for. */
  grant (bytes: number, given: number | null): void {
    const more = given === null ? bytes : Math.max(0, given - this.#granted)
    this.#credit += more
    this.#granted += more
    this.#wake()
  }

  /** Nothing more is sent. */
  stop (): void {
    this.#isOver = true
    this.#wake()
  }

  /** Null: sent, and more may follow at once. Else false where the stream was over. One at a time. Throws what `encodeFrame` and `Parcels.put` throw. */
  send (value: unknown): null | Promise<boolean> {
    const bytes = this.#encode({ value })
    if (bytes.length > this.#options.payloadBytesMax()) return this.#sendParcel(value)
    if (!this.#isOver && this.#mayBeSent(bytes.length)) {
      this.#publish(bytes, bytes.length)
      return this.#burst < this.#options.burstBytes ? null : this.#rest()
    }
    return this.#sendLater(new Uint8Array(bytes), bytes.length)
  }

  async #sendParcel (value: unknown): Promise<boolean> {
    const message = await this.#options.parcels.put(value)
    const isSent = await this.#sendLater(new Uint8Array(this.#encode(message)), message.size)
    if (!isSent) this.#options.parcels.drop(message)
    return isSent
  }

  async #sendLater (bytes: Uint8Array, size: number): Promise<boolean> {
    if (!this.#isOver && this.#window !== null && !this.#mayBeSent(size)) this.#options.waits.value++
    while (!this.#isOver && !this.#mayBeSent(size)) await new Promise<void>(resolve => { this.#wake = resolve })
    if (this.#isOver) return false
    this.#publish(bytes, size)
    return true
  }

  /** Lets others run: a stream with much credit would hold up everything else until it has used it. */
  #rest (): Promise<boolean> {
    this.#burst = 0
    return new Promise(resolve => setImmediate(() => resolve(!this.#isOver)))
  }

  #encode (message: Carried): Uint8Array {
    return encodeFrame({ kind: kinds.MESSAGE, sequence: this.#options.sequence(), message })
  }

  /** S1. */
  #mayBeSent (size: number): boolean {
    return this.#window !== null && (this.#credit >= size || this.#credit * 2 >= this.#window)
  }

  #publish (bytes: Uint8Array, size: number): void {
    this.#credit -= size
    this.#burst += bytes.length
    this.#options.publish(bytes)
  }
}

export interface ReceiverOptions {
  parcels: Parcels
  windowBytes: number
  /** Gives credit back. */
  give (bytes: number): void
  /** A message could not be read. */
  broken (error: unknown): void
  /** Nobody reads any more, before the end. */
  left (): void
}

type Result = IteratorResult<unknown, undefined>
interface Reader { resolve (result: Result | Promise<Result>): void; reject (error: unknown): void }
interface Waiting { message: Carried; size: number }

export class Receiver implements AsyncIterableIterator<unknown> {
  readonly #options: ReceiverOptions
  #waiting: Waiting[] = []
  /** What was taken from the front of `#waiting`. */
  #first = 0
  #readers: Reader[] = []
  #ended: { error: BridgeStatus | null } | null = null
  /** Bytes that were sent to this side and not given back; those of them that were taken. */
  #outstanding = 0
  #taken = 0
  #given = 0

  constructor (options: ReceiverOptions) { this.#options = options }

  /** Bytes that were given back in all. */
  get givenBytes (): number { return this.#given }

  /** Throws RESOURCE_EXHAUSTED where more comes than may (S1). */
  push (message: Carried, frameBytes: number): void {
    const { windowBytes, parcels } = this.#options
    const size = 'value' in message ? frameBytes : message.size
    if (this.#ended !== null) return parcels.drop(message)
    if (this.#outstanding + size > windowBytes && this.#outstanding * 2 > windowBytes) {
      throw new BridgeStatus('RESOURCE_EXHAUSTED', `More was sent than may: ${this.#outstanding + size} bytes wait, windowBytes is ${windowBytes}`)
    }
    this.#outstanding += size
    const reader = this.#readers.shift()
    if (reader === undefined) this.#waiting.push({ message, size })
    else reader.resolve(this.#take({ message, size }))
  }

  /** No more comes; what waits is still read. */
  finish (error: BridgeStatus | null): void {
    if (this.#ended !== null) return
    this.#ended = { error }
    const [first, ...others] = this.#readers
    this.#readers = []
    if (first === undefined) return
    this.#end().then(first.resolve, first.reject)
    for (const { resolve } of others) resolve(over)
  }

  /** The same at once; what waits is not read. */
  drop (error: BridgeStatus | null): void {
    for (const { message } of this.#waiting.slice(this.#first)) this.#options.parcels.drop(message)
    this.#waiting = []
    this.#first = 0
    if (this.#ended !== null) this.#ended = { error }
    this.finish(error)
  }

  next (): Promise<Result> {
    const waiting = this.#waiting[this.#first]
    if (waiting !== undefined) {
      this.#shift()
      return this.#take(waiting)
    }
    if (this.#ended !== null) return this.#end()
    return new Promise((resolve, reject) => { this.#readers.push({ resolve, reject }) })
  }

  async return (): Promise<Result> {
    if (this.#ended === null || this.#first < this.#waiting.length) {
      this.drop(null)
      this.#options.left()
    }
    this.#ended = { error: null }
    return over
  }

  [Symbol.asyncIterator] (): this { return this }

  /** The error is told once, as generators do. */
  async #end (): Promise<Result> {
    const { error } = this.#ended!
    this.#ended = { error: null }
    if (error !== null) throw error
    return over
  }

  async #take ({ message, size }: Waiting): Promise<Result> {
    this.#giveBack(size)
    if ('value' in message) return { done: false, value: message.value }
    try {
      return { done: false, value: await this.#options.parcels.open(message) }
    } catch (error) {
      this.#options.broken(error)
      throw error
    }
  }

  /** S2. */
  #giveBack (size: number): void {
    this.#taken += size
    if (this.#ended !== null || this.#taken * 8 < this.#options.windowBytes) return
    const bytes = this.#taken
    this.#taken = 0
    this.#outstanding -= bytes
    this.#given += bytes
    this.#options.give(bytes)
  }

  /** In constant time, also of a long line. */
  #shift (): void {
    this.#waiting[this.#first++] = undefined as never
    if (this.#first === this.#waiting.length) {
      this.#waiting = []
      this.#first = 0
    }
  }
}

const over: Result = { done: true, value: undefined }

export interface PumpOptions {
  send (value: unknown): null | Promise<boolean>
  /** Called when the iteration has begun: what runs before its first await has run. */
  begun? (): void
  isOver (): boolean
}

/** Sends what an iteration gives, until it ends or the call does. Throws what either throws. */
export async function pump (values: AsyncIterable<unknown> | Iterable<unknown>, { send, begun, isOver }: PumpOptions): Promise<void> {
  const iterator = Symbol.asyncIterator in values ? values[Symbol.asyncIterator]() : values[Symbol.iterator]()
  try {
    let next = iterator.next()
    begun?.()
    for (;;) {
      const { done, value } = await next
      if (done === true) return
      if (isOver()) break
      const sent = send(value)
      if (sent !== null && !await sent) break
      next = iterator.next()
    }
  } catch (error) {
    leave(iterator)
    throw error
  }
  leave(iterator)
}

/** A source that does not end for itself is not waited for. */
function leave (iterator: AsyncIterator<unknown> | Iterator<unknown>): void {
  void (async () => { await iterator.return?.() })().catch(() => {})
}
