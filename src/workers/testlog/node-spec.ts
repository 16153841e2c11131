// node:test's spec reporter. A line a result, two spaces a level: `✔ name (1.5ms)`; `▶ name` opens what holds others, and
// the same name with a mark closes it. Ids are `outer > inner`; the text does not name files.
//
// S1. Whether what holds others is a suite (no test) or a test with subtests, the text does not say. The figures at the
//     end do where all are of one kind; else they are left out, and the reading is ambiguous.
// S2. A result can follow what a test printed without a line end, and a name can hold one.

import { printable, type Results } from './results.ts'
import { isFile } from './tap.ts'
import type { Dialect, LogStatus } from './types.ts'

const marked = /^( *)([✔✖﹣▶]) (.*)$/
const timed = /^(.*) \((\d+\.\d+)ms\)( # .*)?$/
const inside = /^(.*?[^ ])( *)([✔✖﹣]) (.* \(\d+\.\d+ms\)(?: # .*)?)$/
const nameLinesMax = 5

interface Holder { name: string; line: number }

export class NodeSpec implements Dialect {
  readonly #results: Results
  #path: Holder[] = []
  #partial: { depth: number; mark: string; text: string; lines: number; number: number } | null = null
  readonly #holders: { id: string; status: LogStatus; line: number }[] = []
  #over = false
  #leaves = 0
  readonly #figures = new Map<string, number>()

  constructor (results: Results) {
    this.#results = results
  }

  wants (bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#partial !== null) return true
    let at = start
    while (at < end && bytes[at] === 0x20) at++
    const first = bytes[at]
    if (first === 0xe2 || first === 0xef) return true // ✔ ✖ ▶ ℹ, ﹣
    return !this.#over && end - start < 4096 && bytes[end - 1] === 0x29 && bytes[end - 2] === 0x73 // … ms)
  }

  line (text: string, number: number): void {
    if (text.startsWith('ℹ ')) return this.#figure(text)
    if (this.#over) return
    const match = marked.exec(text)
    if (match !== null) {
      this.#partial = null
      return this.#mark(match[1]!.length / 2, match[2]!, match[3]!, number)
    }
    const glued = inside.exec(text)
    if (glued === null) return this.#partial === null ? undefined : this.#continue(text)
    this.#partial = null
    this.#mark(glued[2]!.length / 2, glued[3]!, glued[4]!, number)
  }

  #mark (depth: number, mark: string, text: string, number: number): void {
    if (!Number.isInteger(depth) || depth > Math.min(this.#path.length, this.#results.limits.depthMax)) return
    const match = timed.exec(text)
    if (mark === '▶' && match === null) {
      this.#path.length = depth
      this.#path.push({ name: text, line: number })
    } else if (match === null) this.#partial = { depth, mark, text, lines: 1, number }
    else this.#result(depth, mark, match[1]!, match[3] ?? '', number)
  }

  #continue (text: string): void {
    const partial = this.#partial!
    partial.text += `\n${text}`
    const match = /^([^]*) \((\d+\.\d+)ms\)( # .*)?$/.exec(partial.text)
    if (match !== null) {
      this.#partial = null
      this.#result(partial.depth, partial.mark, match[1]!, match[3] ?? '', partial.number)
    } else if (++partial.lines > nameLinesMax || partial.text.length > this.#results.limits.idCharsMax) this.#partial = null
  }

  #result (depth: number, mark: string, name: string, comment: string, line: number): void {
    const left = mark === '﹣' || /^ # (TODO|SKIP)\b/.test(comment)
    const status: LogStatus = left ? 'skipped' : mark === '✖' ? 'failed' : 'passed'
    const holds = this.#path.length > depth && this.#path[depth]!.name === name
    this.#path.length = depth
    const id = [...this.#path.map(({ name }) => name), name].map(printable).join(' > ')
    if (depth === 0 && isFile(name)) {
      this.#leaves++
      this.#results.suite(name, mark === '✖' ? 'error' : 'passed')
    } else if (holds) {
      if (this.#holders.length < this.#results.limits.testsMax) this.#holders.push({ id, status: mark === '▶' ? 'passed' : status, line })
    } else {
      this.#leaves++
      this.#results.add(id, status, line)
    }
  }

  #figure (text: string): void {
    const match = /^ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/.exec(text)
    if (match === null) return
    this.#over = true
    if (match[1] === 'duration_ms') this.#results.complete = true
    this.#figures.set(match[1]!, Number(match[2]))
  }

  end (): void {
    const tests = this.#figures.get('tests')
    if (tests === undefined) return
    const suites = this.#figures.get('suites') ?? 0
    const holders = this.#holders.length
    if (tests + suites !== this.#leaves + holders) this.#results.expect('tests and suites', tests + suites, this.#leaves + holders)
    else if (suites === 0) for (const { id, status, line } of this.#holders) this.#results.add(id, status, line)
    else if (suites < holders) this.#results.problem('AMBIGUOUS', `${holders - suites} of ${holders} that hold others are tests themselves; the text does not say which`)
    for (const { id, status } of this.#holders) if (status === 'failed' && suites > 0) this.#results.suite(id, 'failed')
  }
}
