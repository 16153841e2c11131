// A table of 32-bit integers that grows: rows of a fixed number of columns in one typed array. A row is named by the
// position of its first cell.

export class Table {
  data: Int32Array
  length = 0
  readonly columns: number

  constructor (columns: number, rows = 16) {
    this.columns = columns
    this.data = new Int32Array(columns * rows)
  }

  /** Begins a row of zeros; `data` may be another array afterwards. */
  add (): number {
    const row = this.length
    this.length += this.columns
    if (this.length > this.data.length) {
      const grown = new Int32Array(this.data.length * 2)
      grown.set(this.data)
      this.data = grown
    }
    return row
  }

  get rows (): number {
    return this.length / this.columns
  }

  /** The filled part, in an array of its own. */
  trimmed (): Int32Array {
    return this.data.slice(0, this.length)
  }
}
