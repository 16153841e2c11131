// The trace of a simulation, as the page is told it: columns of numbers, and the words that they stand for. A trace of hundreds of
// thousands of lines has few names and a few thousand texts, so this is a tenth of the file, and is read without being taken apart.

/** Line `i` is `who[lines.who[i]]`, `what[lines.what[i]]`, `details[lines.detail[i]]`, `lines.afterMs[i]` after the line before it. */
export interface TraceView {
  /** Name of the file. */
  file: string
  lines: { afterMs: number[]; who: number[]; what: number[]; detail: number[] }
  who: string[]
  what: string[]
  details: string[]
  /** Lines of the file that are not here: those of processes behind the first `traceLinesMax`, and a last one that was not written to its end. */
  leftOut: number
}
