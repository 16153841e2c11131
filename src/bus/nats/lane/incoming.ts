// What comes from the server, cut into whole lines and messages before the client's parser sees it. The parser copies a message
// that comes in pieces several times; one that is whole it hands on as it lies there.
//
// It is read into two buffers in turns. Messages of subjects that are lent are handed on where they lie, and hold until the next
// piece is asked for; of everything else a copy is handed on, which may be kept.

import { laneLimits } from './limits.ts'

const NEWLINE = 10
const SPACE = 32

export class Incoming {
  readonly #isLent: (subject: string) => boolean
  #buffer = Buffer.allocUnsafeSlow(laneLimits.readBytes)
  #other = Buffer.allocUnsafeSlow(laneLimits.readBytes)
  /** What was read and not handed on. */
  #start = 0
  #end = 0
  /** Of the message that begins at `#start`, where that is known: its bytes. */
  #wanted = 0
  #pieces: Uint8Array[] = []
  #next: ((result: IteratorResult<Uint8Array, undefined>) => void) | null = null
  /** Whether something was lent and not given back. */
  #isLending = false
  #mayLend = true
  #isOver = false
  #begun: () => void = () => {}

  constructor (isLent: (subject: string) => boolean) { this.#isLent = isLent }

  /** Where the next bytes are to be read into. */
  room (): Buffer {
    const missing = this.#wanted - (this.#end - this.#start)
    // Of a large message what is missing, so that nothing behind it has to be moved.
    const isLarge = missing >= laneLimits.readBytes / 4
    this.#makeRoom(isLarge ? missing : laneLimits.readBytes / 2)
    return this.#buffer.subarray(this.#end, this.#end + (isLarge ? missing : laneLimits.readBytes))
  }

  /** So many bytes were read into what `room` gave. Throws where the server sends what no server may. */
  took (bytes: number): void {
    if (this.#isLending) throw new Error('bytes were read while those before them were still lent')
    this.#end += bytes
    const mayLend = this.#mayLend && this.#next !== null
    let [from, to, isLent] = [this.#start, this.#start, mayLend]
    for (let subject = this.#step(); subject !== null; subject = this.#step()) {
      const lends = mayLend && this.#isLent(subject)
      if (subject !== '' && lends !== isLent) {
        this.#hand(from, to, isLent)
        from = to
        isLent = lends
      }
      to = this.#start
    }
    this.#hand(from, to, isLent)
    this.#wake()
  }

  /** Bytes that were read elsewhere. They come faster than pieces are asked for, so that nothing is lent. */
  add (bytes: Uint8Array): void {
    this.#mayLend = false
    for (let at = 0; at < bytes.length;) {
      const room = this.room()
      const part = bytes.subarray(at, at + room.length)
      room.set(part)
      this.took(part.length)
      at += part.length
    }
  }

  end (): void {
    this.#isOver = true
    this.#wake()
  }

  /** The first line or lines, which are still handed on. */
  async first (): Promise<Uint8Array> {
    if (this.#pieces.length === 0) await new Promise<void>(resolve => { this.#begun = resolve })
    return this.#pieces[0]!
  }

  /** One reader. Asking for a piece gives back those before it. */
  next (): Promise<IteratorResult<Uint8Array, undefined>> {
    const piece = this.#pieces.shift()
    if (piece !== undefined) return Promise.resolve({ done: false, value: piece })
    this.#isLending = false
    return new Promise(resolve => {
      this.#next = resolve
      this.#wake()
    })
  }

  /** Goes behind the next line, with its message; the subject of that, '' for a line alone, null for what is not whole. */
  #step (): string | null {
    const buffer = this.#buffer
    if (this.#start === this.#end) return null
    let end = this.#start
    while (end < this.#end && buffer[end] !== NEWLINE) end++
    if (end === this.#end) return null
    const first = buffer[this.#start]! | 0x20
    const isMessage = first === 0x6d || first === 0x68
    let wanted = end + 1 - this.#start
    if (isMessage) wanted += this.#sizeBefore(end) + 2
    if (this.#end - this.#start < wanted) {
      this.#wanted = wanted
      return null
    }
    const subject = isMessage ? this.#subjectOf(end) : ''
    this.#start += wanted
    this.#wanted = 0
    return subject
  }

  /** The number at the end of a line. */
  #sizeBefore (end: number): number {
    let size = 0
    let scale = 1
    for (let at = end - 2; at > this.#start; at--, scale *= 10) {
      const digit = this.#buffer[at]! - 48
      if (digit < 0 || digit > 9) break
      size += digit * scale
    }
    if (size > laneLimits.messageBytesMax) throw new Error(`the server sends a message of ${size} bytes: messageBytesMax is ${laneLimits.messageBytesMax}`)
    return size
  }

  #subjectOf (end: number): string {
    const begin = this.#buffer.indexOf(SPACE, this.#start) + 1
    return this.#buffer.toString('latin1', begin, Math.min(end, this.#buffer.indexOf(SPACE, begin)))
  }

  #hand (from: number, to: number, isLent: boolean): void {
    if (from === to) return
    const bytes = this.#buffer.subarray(from, to)
    this.#isLending ||= isLent
    this.#pieces.push(isLent ? bytes : new Uint8Array(bytes))
  }

  #wake (): void {
    if (this.#pieces.length > 0) this.#begun()
    if (this.#next === null) return
    const piece = this.#pieces.shift()
    if (piece === undefined && !this.#isOver) return
    const next = this.#next
    this.#next = null
    next(piece === undefined ? { done: true, value: undefined } : { done: false, value: piece })
  }

  /** Moves what waits to the front where it has to. What is lent stays where it lies: then the other buffer is the next. */
  #makeRoom (bytes: number): void {
    const waiting = this.#end - this.#start
    const wanted = waiting + bytes
    if (wanted > laneLimits.messageBytesMax + laneLimits.readBytes) throw new Error('the server sends a line that does not end')
    if (!this.#isLending && waiting === 0) this.#start = this.#end = 0
    if (!this.#isLending && this.#end + bytes <= this.#buffer.length) return
    const [from, other] = [this.#buffer, this.#isLending ? this.#other : this.#buffer]
    const to = wanted <= other.length ? other : Buffer.allocUnsafeSlow(Math.ceil(wanted / laneLimits.readBytes) * laneLimits.readBytes)
    from.copy(to, 0, this.#start, this.#end)
    if (this.#isLending) this.#other = from
    this.#buffer = to
    this.#start = 0
    this.#end = waiting
  }
}
