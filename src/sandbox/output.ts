// What a command prints, kept within a cap: the first half and the last half stay, what lies between is counted.

export interface Collected { output: Uint8Array; truncatedBytes: number }

export class OutputCollector {
  readonly #headMax: number
  readonly #tailMax: number
  #head: Buffer[] = []
  #headBytes = 0
  #tail: Buffer[] = []
  #tailBytes = 0
  /** Bytes seen so far, kept or not. */
  total = 0
  /** Bytes that came before the command had begun: they are no output of it, but part of a flood. */
  skipped = 0

  constructor (bytesMax: number) {
    this.#headMax = Math.ceil(bytesMax / 2)
    this.#tailMax = Math.floor(bytesMax / 2)
  }

  push (chunk: Buffer): void {
    this.total += chunk.length
    const room = this.#headMax - this.#headBytes
    if (room > 0) {
      const head = chunk.subarray(0, room)
      // A copy: a kept slice of a stream's chunk would hold the whole chunk.
      this.#head.push(Buffer.from(head))
      this.#headBytes += head.length
      if (head.length === chunk.length) return
      chunk = chunk.subarray(room)
    }
    if (this.#tailMax === 0) return
    this.#tail.push(Buffer.from(chunk.subarray(Math.max(0, chunk.length - this.#tailMax))))
    this.#tailBytes += this.#tail.at(-1)!.length
    if (this.#tailBytes > 4 * this.#tailMax || this.#tail.length > 1024) this.#compact()
  }

  take (): Collected {
    this.#compact()
    const output = Buffer.concat([...this.#head, ...this.#tail])
    return { output, truncatedBytes: this.total - output.length }
  }

  #compact (): void {
    const tail = Buffer.concat(this.#tail)
    const kept = tail.subarray(Math.max(0, tail.length - this.#tailMax))
    this.#tail = kept.length > 0 ? [Buffer.from(kept)] : []
    this.#tailBytes = kept.length
  }
}
