// What goes to the server, gathered into buffers that are used again and again: what is published is copied once, and written
// with what is published beside it.

import type { Socket } from 'node:net'
import { laneLimits } from './limits.ts'

export class Outgoing {
  readonly #socket: Socket
  #buffer: Buffer = Buffer.allocUnsafeSlow(laneLimits.writeBytes)
  #filled = 0
  #kept: Buffer[] = []
  #isFlushing = false

  constructor (socket: Socket) { this.#socket = socket }

  /** Copies what it is given. It is written when enough has come together, at the latest when what runs now has ended. */
  publish (subject: string, bytes: Uint8Array, reply: string): void {
    const line = reply === '' ? `PUB ${subject} ${bytes.length}\r\n` : `PUB ${subject} ${reply} ${bytes.length}\r\n`
    if (this.#buffer.length - this.#filled < Buffer.byteLength(line)) this.flush()
    this.#filled += this.#buffer.write(line, this.#filled)
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + this.#buffer.length - this.#filled)
      this.#buffer.set(part, this.#filled)
      at += part.length
      this.#filled += part.length
      if (this.#filled === this.#buffer.length) this.flush()
    }
    if (this.#buffer.length - this.#filled < 2) this.flush()
    this.#filled += this.#buffer.write('\r\n', this.#filled)
    if (this.#isFlushing) return
    this.#isFlushing = true
    process.nextTick(() => {
      this.#isFlushing = false
      this.flush()
    })
  }

  flush (): void {
    if (this.#filled === 0) return
    const buffer = this.#buffer
    let isTaken = false
    this.#socket.write(buffer.subarray(0, this.#filled), () => { if (!isTaken) this.#keep(buffer) })
    this.#filled = 0
    // The system has all of it.
    isTaken = this.#socket.writableLength === 0
    if (!isTaken) this.#buffer = this.#kept.pop() ?? Buffer.allocUnsafeSlow(laneLimits.writeBytes)
  }

  #keep (buffer: Buffer): void {
    if (this.#kept.length < laneLimits.writesKept) this.#kept.push(buffer)
  }
}
