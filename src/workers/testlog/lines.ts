// Cuts bytes into lines and takes off what a terminal would: colours, cursor movements, and all but the last part of a
// line that was written over with carriage returns. Lines are handed on as ranges of bytes; nothing is copied unless a
// line reaches over two chunks or holds an escape. Memory is bounded by the longest line that is kept.

const lineFeed = 10
const carriageReturn = 13
const escape = 27

export interface LineSink {
  /** `cut`: the line was longer than the limit, and this is its beginning. */
  line (bytes: Buffer, start: number, end: number, cut: boolean): void
}

export class LineSplitter {
  readonly #sink: LineSink
  readonly #limit: number
  #rest: Buffer = Buffer.alloc(0)
  #restLength = 0
  #cut = false

  constructor (sink: LineSink, lineBytesMax: number) {
    this.#sink = sink
    this.#limit = lineBytesMax
  }

  write (chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const odd = new OddBytes(bytes)
    let start = 0
    let end = bytes.indexOf(lineFeed)
    if (end !== -1 && this.#restLength > 0) {
      this.#keep(bytes, 0, end)
      this.#emit(this.#rest, 0, this.#restLength, true, this.#cut)
      this.#restLength = 0
      this.#cut = false
      start = end + 1
      end = bytes.indexOf(lineFeed, start)
    }
    while (end !== -1) {
      const cut = end - start > this.#limit
      this.#emit(bytes, start, cut ? start + this.#limit : end, odd.within(start, end), cut)
      start = end + 1
      end = bytes.indexOf(lineFeed, start)
    }
    this.#keep(bytes, start, bytes.length)
  }

  /** Forgets the last line if it has no end: nobody knows what is missing. Returns whether there was one. */
  end (): boolean {
    const left = this.#restLength > 0
    this.#restLength = 0
    return left
  }

  #keep (bytes: Buffer, start: number, end: number): void {
    const room = this.#limit - this.#restLength
    if (end - start > room) this.#cut = true
    const length = Math.min(end - start, room)
    if (length <= 0) return
    if (this.#rest.length < this.#restLength + length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#limit, Math.max(4096, 2 * (this.#restLength + length))))
      this.#rest.copy(grown, 0, 0, this.#restLength)
      this.#rest = grown
    }
    bytes.copy(this.#rest, this.#restLength, start, start + length)
    this.#restLength += length
  }

  #emit (bytes: Buffer, start: number, end: number, odd: boolean, cut: boolean): void {
    if (!odd) return this.#sink.line(bytes, start, end, cut)
    const clean = withoutEscapes(bytes, start, end)
    let [from, to] = clean === bytes ? [start, end] : [0, clean.length]
    while (to > from && clean[to - 1] === carriageReturn) to--
    const overwritten = clean.lastIndexOf(carriageReturn, to - 1)
    if (overwritten >= from && to > from) from = overwritten + 1
    this.#sink.line(clean, from, to, cut)
  }
}

/** Where the next escape or carriage return is, so that lines without one are not searched. */
class OddBytes {
  readonly #bytes: Buffer
  #escape: number
  #return: number

  constructor (bytes: Buffer) {
    this.#bytes = bytes
    this.#escape = this.#next(escape, 0)
    this.#return = this.#next(carriageReturn, 0)
  }

  within (start: number, end: number): boolean {
    if (this.#escape < start) this.#escape = this.#next(escape, start)
    if (this.#return < start) this.#return = this.#next(carriageReturn, start)
    return this.#escape < end || this.#return < end
  }

  #next (byte: number, from: number): number {
    const at = this.#bytes.indexOf(byte, from)
    return at === -1 ? this.#bytes.length : at
  }
}

/** Without control sequences: CSI (`ESC [ … m`), OSC (`ESC ] … BEL`), and short ones such as `ESC ( B`. */
export function withoutEscapes (bytes: Buffer, start: number, end: number): Buffer {
  const first = bytes.indexOf(escape, start)
  if (first === -1 || first >= end) return bytes
  const out = Buffer.allocUnsafe(end - start)
  let length = bytes.copy(out, 0, start, first)
  for (let at = first; at < end;) {
    if (bytes[at] === escape) at = sequenceEnd(bytes, at + 1, end)
    else out[length++] = bytes[at++]!
  }
  return out.subarray(0, length)
}

function sequenceEnd (bytes: Buffer, at: number, end: number): number {
  const kind = bytes[at]
  if (at >= end) return end
  if (kind === 0x5b) {
    at++
    while (at < end && bytes[at]! >= 0x20 && bytes[at]! <= 0x3f) at++
    return at < end && bytes[at]! >= 0x40 && bytes[at]! <= 0x7e ? at + 1 : at
  }
  if (kind === 0x5d) {
    for (at++; at < end; at++) {
      if (bytes[at] === 7) return at + 1
      if (bytes[at] === escape) return bytes[at + 1] === 0x5c ? Math.min(at + 2, end) : at
    }
    return end
  }
  while (at < end && bytes[at]! >= 0x20 && bytes[at]! <= 0x2f) at++
  return at < end && bytes[at]! >= 0x30 && bytes[at]! <= 0x7e ? at + 1 : at
}
