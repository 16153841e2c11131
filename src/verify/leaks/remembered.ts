// Answers that are worked out once, by whoever asks first, in that one's sandbox. Others wait for it. Where it fails, which
// says nothing of the others' sandboxes, the next one works it out in its own.

import { orAborted } from '../../bus/abort.ts'
import { SparError } from '../../errors.ts'

export class Remembered<Value> {
  readonly #max: number
  /** Insertion order is the order of last use. */
  readonly #kept = new Map<string, Promise<Value>>()

  constructor (max: number) {
    this.#max = max
  }

  get size (): number { return this.#kept.size }

  async get (key: string, make: () => Promise<Value>, signal?: AbortSignal): Promise<Value> {
    for (;;) {
      const known = this.#kept.get(key)
      if (known === undefined) return await this.#begin(key, make)
      this.#touch(key, known)
      const shared = await orAborted(known.then(value => ({ value }), () => null), signal === undefined ? [] : [signal])
      if (shared !== null) return shared.value
      if (signal?.aborted === true) throw new SparError('ABORTED', 'Cannot wait for a search for leaks: the work was cancelled', { retryable: true })
    }
  }

  async #begin (key: string, make: () => Promise<Value>): Promise<Value> {
    const making = make()
    this.#touch(key, making)
    try {
      return await making
    } catch (error) {
      if (this.#kept.get(key) === making) this.#kept.delete(key)
      throw error
    }
  }

  #touch (key: string, value: Promise<Value>): void {
    this.#kept.delete(key)
    this.#kept.set(key, value)
    if (this.#kept.size > this.#max) this.#kept.delete(this.#kept.keys().next().value!)
  }
}
