// Values on their way to one reader, who may be told to stop: the iterations of the bus are made of it.

import { createFifo } from '../fifo.ts'
import { onAbort } from './abort.ts'

export interface ChannelOptions {
  /** Each ends the iteration quietly; what waits then is dropped. */
  signals: readonly AbortSignal[]
  /** More than so many do not wait: the oldest are dropped. */
  max?: number
  /** Called once, however the iteration ended; not where it was over before it began. */
  onEnd? (): void
  /** Called when the reader has taken a value. */
  onTaken? (): void
}

export class Channel<Value> {
  readonly #waiting = createFifo<Value>()
  #ended: { error: unknown } | null = null
  #wake: () => void = () => {}
  readonly #leave: () => void
  readonly #max: number
  readonly #onEnd: () => void
  readonly #onTaken: () => void

  constructor ({ signals, max = Infinity, onEnd = () => {}, onTaken = () => {} }: ChannelOptions) {
    this.#max = max
    this.#onEnd = onEnd
    this.#onTaken = onTaken
    if (signals.some(({ aborted }) => aborted)) this.#ended = { error: null }
    this.#leave = this.isOver ? () => {} : onAbort(signals, () => { this.stop() })
  }

  /** How many values wait. */
  get length (): number { return this.#waiting.size }
  get isOver (): boolean { return this.#ended !== null }

  push (value: Value): void {
    if (this.#ended !== null) return
    if (this.length >= this.#max) this.#waiting.shift()
    this.#waiting.push(value)
    this.#wake()
  }

  /** What waits is still read, then the reader is told. */
  fail (error: unknown): void { this.#end({ error }) }

  /** Ends quietly and at once. */
  stop (): void {
    this.#waiting.clear()
    this.#end({ error: null })
  }

  async * read (): AsyncGenerator<Value> {
    try {
      for (;;) {
        if (this.length > 0) {
          yield this.#waiting.shift() as Value
          this.#onTaken()
        } else if (this.#ended !== null) {
          if (this.#ended.error !== null) throw this.#ended.error
          return
        } else await new Promise<void>(resolve => { this.#wake = resolve })
      }
    } finally {
      this.stop()
    }
  }

  #end (ended: { error: unknown }): void {
    if (this.#ended !== null) return
    this.#ended = ended
    this.#leave()
    this.#wake()
    this.#onEnd()
  }
}
