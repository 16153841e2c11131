// A text as a table of lines: ranges of the file or of the patch, with both hashes. A line that comes from the patch is
// "patched": git never looks for a hunk in it again.

import { isSpace, LF } from './bytes.ts'

const columns = ['start', 'end', 'gitHash', 'fullHash'] as const

export class Lines {
  count = 0
  start: Int32Array
  end: Int32Array
  /** git's: 24 bits, white space left out. */
  gitHash: Int32Array
  /** Over every byte and the length. */
  fullHash: Int32Array
  patched: Uint8Array
  /** Whether a line that is not the last has no newline. */
  innerOpen = false
  private readonly text: Uint8Array
  private readonly patch: Uint8Array

  constructor (text: Uint8Array, patch: Uint8Array, capacity = 64) {
    this.text = text
    this.patch = patch
    this.start = new Int32Array(capacity)
    this.end = new Int32Array(capacity)
    this.gitHash = new Int32Array(capacity)
    this.fullHash = new Int32Array(capacity)
    this.patched = new Uint8Array(capacity)
  }

  source (line: number): Uint8Array {
    return this.patched[line] === 1 ? this.patch : this.text
  }

  get lastOpen (): boolean {
    if (this.count === 0) return false
    const end = this.end[this.count - 1]!
    return end === this.start[this.count - 1]! || this.source(this.count - 1)[end - 1] !== LF
  }

  add (start: number, end: number, patched: boolean): void {
    this.innerOpen ||= this.lastOpen
    const line = this.count++
    this.reserve(this.count)
    this.patched[line] = patched ? 1 : 0
    this.start[line] = start
    this.end[line] = end
    const source = this.source(line)
    let [git, full] = [0, end - start]
    for (let at = start; at < end; at++) {
      const byte = source[at]!
      full = Math.imul(full ^ byte, 0x01000193)
      if (!isSpace(byte)) git = (Math.imul(git, 3) + byte) | 0
    }
    this.gitHash[line] = git & 0xffffff
    this.fullHash[line] = full
  }

  bytesFrom (line: number): number {
    let bytes = 0
    for (; line < this.count; line++) bytes += this.end[line]! - this.start[line]!
    return bytes
  }

  replace (at: number, removed: number, by: Lines): void {
    const count = this.count + by.count - removed
    this.innerOpen ||= by.innerOpen || by.lastOpen || (at > 0 && by.count > 0 && at === this.count && this.lastOpen)
    this.reserve(count)
    for (const column of [...columns.map(name => [this[name], by[name]] as const), [this.patched, by.patched] as const]) {
      column[0].copyWithin(at + by.count, at + removed, this.count)
      column[0].set(column[1].subarray(0, by.count), at)
    }
    this.count = count
  }

  concat (): Uint8Array {
    const out = new Uint8Array(this.bytesFrom(0))
    let length = 0
    for (let line = 0; line < this.count; line++) {
      out.set(this.source(line).subarray(this.start[line], this.end[line]), length)
      length += this.end[line]! - this.start[line]!
    }
    return out
  }

  private reserve (count: number): void {
    if (count <= this.patched.length) return
    const capacity = Math.max(count, 2 * this.patched.length)
    for (const name of columns) this[name] = grown(this[name], new Int32Array(capacity))
    this.patched = grown(this.patched, new Uint8Array(capacity))
  }
}

function grown<Column extends Int32Array | Uint8Array> (from: Column, to: Column): Column {
  to.set(from)
  return to
}
