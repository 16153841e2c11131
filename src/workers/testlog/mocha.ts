// mocha's spec reporter: a tree of titles, two spaces a level, tests with a mark; below it figures, and the failures once
// more, each with its whole path. Ids are `suite > test`; the text does not name files.
//
// M1. mocha runs the tests of a suite before the suites in it, so a test belongs to the title that came last, one level
//     up. A mark elsewhere was printed by a test.
// M2. A suite at the root stands behind an empty line, except for the first.
// M3. Failures are numbered through, and the list below names them again: it must agree.
// M4. A duration stands behind a slow test only: from half of the slow threshold on, 38 ms where nothing else is set.

import { brief, printable, type Results } from './results.ts'
import type { Dialect, LogStatus } from './types.ts'

const test = /^( +)(?:([✔✓√]) |(- )|(\d+)\) )(.*)$/
const figure = /^ {2}(\d+) (passing|pending|failing)(?: \(\d+\w+\))?$/
const hook = /^"(?:before|after) (?:all|each)" hook/
const slowMs = 38

interface Failure { id: string; number: number; suite: string; title: string; line: number }

export class Mocha implements Dialect {
  readonly #results: Results
  #titles: string[] = []
  #blank = true
  #suites = false
  #over = false
  readonly #failures: Failure[] = []
  readonly #seen = { passing: 0, pending: 0, failing: 0 }
  readonly #figures = new Map<keyof Mocha['counts'], number>()
  #listed: { number: number; titles: string[] } | null = null
  #lists = 0

  constructor (results: Results) {
    this.#results = results
  }

  get counts (): { passing: number; pending: number; failing: number } {
    return this.#seen
  }

  wants (bytes: Uint8Array, start: number, end: number): boolean {
    if (end === start) return true
    return bytes[start] === 0x20 && bytes[start + 1] === 0x20 && (!this.#over || this.#lists < this.#failures.length || this.#listed !== null)
  }

  line (text: string, number: number): void {
    if (text === '') {
      this.#blank = true
      this.#listed = null
      return
    }
    const blank = this.#blank
    this.#blank = false
    const sum = figure.exec(text)
    if (sum !== null && (this.#over || blank)) {
      this.#over = true
      this.#results.complete = true
      this.#figures.set(sum[2] as 'passing', Number(sum[1]))
    } else if (this.#over) this.#list(text)
    else this.#tree(text, blank, number)
  }

  #tree (text: string, blank: boolean, number: number): void {
    const match = test.exec(text)
    if (match !== null) return this.#test(match, number)
    const indent = /^ */.exec(text)![0].length
    const depth = indent / 2
    if (!Number.isInteger(depth) || depth < 1 || depth > Math.min(this.#titles.length + 1, this.#results.limits.depthMax)) return
    if (depth === 1 && !blank && this.#suites) return
    this.#suites = true
    this.#titles.length = depth - 1
    this.#titles.push(text.slice(indent))
  }

  #test (match: RegExpExecArray, line: number): void {
    const [, indent, passed, pending, failed, text] = match
    const depth = indent!.length / 2 - 1
    if (depth !== this.#titles.length) return this.#results.problem('FORGED_LINE', `${brief(match[0].trim())} stands where no test of the suite can`, line)
    const title = failed === undefined && pending === undefined ? withoutDuration(text!) : text!
    const id = [...this.#titles, title].map(printable).join(' > ')
    if (failed !== undefined) return this.#failure(id, Number(failed), title, line)
    const status: LogStatus = passed !== undefined ? 'passed' : 'skipped'
    this.#seen[status === 'passed' ? 'passing' : 'pending']++
    this.#results.add(id, status, line)
  }

  #failure (id: string, number: number, title: string, line: number): void {
    if (number !== this.#failures.length + 1) return this.#results.problem('FORGED_LINE', `failure ${number} is out of turn`, line)
    if (this.#failures.length >= this.#results.limits.testsMax) return
    this.#seen.failing++
    const suite = this.#titles.map(printable).join(' > ')
    this.#failures.push({ id, number, suite, title, line })
    if (hook.test(title)) this.#results.suite(suite === '' ? 'the root suite' : suite, 'error', title)
    else this.#results.add(id, 'failed', line)
  }

  /** `  1) suite`, and below it, two spaces deeper each, the rest of the path; the last ends with a colon. */
  #list (text: string): void {
    const match = /^ {2}(\d+)\) (.*)$/.exec(text)
    if (match !== null) this.#listed = { number: Number(match[1]), titles: [match[2]!] }
    else if (this.#listed !== null) this.#listed.titles.push(text.trimStart())
    if (this.#listed === null || !this.#listed.titles.at(-1)!.endsWith(':')) return
    const { number, titles } = this.#listed
    const failure = this.#failures[number - 1]
    const listed = titles.map(printable).join(' > ').slice(0, -1)
    if (failure === undefined || !(failure.id === listed || listed.startsWith(failure.id))) {
      this.#results.problem('FORGED_LINE', `failure ${number} is ${brief(listed)} in the list and ${brief(failure?.id ?? '')} in the tree`)
    }
    this.#listed = null
    this.#lists++
  }

  end (): void {
    if (!this.#over) return
    for (const name of ['passing', 'pending', 'failing'] as const) {
      const counted = this.#figures.get(name) ?? 0
      if (this.#seen.passing + this.#seen.failing === 0 && counted > 0) this.#results.problem('NAMES_MISSING', `${counted} tests are ${name} that the log does not name`)
      else this.#results.expect(name, counted, this.#seen[name])
    }
  }
}

function withoutDuration (text: string): string {
  const match = / \((\d+)(ms|s|m|h|d)\)$/.exec(text)
  return match !== null && (match[2] !== 'ms' || Number(match[1]) >= slowMs) ? text.slice(0, match.index) : text
}
