// vitest's reporters: default, verbose and basic, of versions 1 to 3. A test's line names its file (`✓ file > suite >
// test`), or stands three spaces deep below its file's line; failures come again as ` FAIL  file > suite > test`. Ids are
// `file::suite > test`, as in Spar's own scripts.
//
// V1. What a test prints stands below `stdout | file > test`, not indented, up to an empty line. It may hold empty lines
//     too: where more results are seen than the figures count, paragraphs behind such output are left out until the
//     figures hold, if there is one way to do that.
// V2. From version 3 on each result has its duration; before, only slow ones do, from 300 ms on.
// V3. Only the default reporters print lines of files; where there are some, results of the other form were printed.

import { brief, printable, type Results } from './results.ts'
import type { Dialect, LogStatus } from './types.ts'

const marks: Record<string, LogStatus> = { '✓': 'passed', '√': 'passed', '×': 'failed', '✗': 'failed', '❯': 'failed', '↓': 'skipped', '→': 'failed' }
const line = /^( +)([✓√×✗❯↓]) +(?:\|[^|]+\| )?(.*)$/
const fileLine = /^(\S.*?) +\((\d+) tests?((?: \| [^)]*)?)\)(?: .*)?$/
const slowMs = 300
const suspectsMax = 12

interface Result { id: string; status: LogStatus; line: number }
/** Results without an empty line between. `behind`: of output, with nothing of the reporter's own between. */
interface Paragraph { results: Result[]; behind: boolean }

export class Vitest implements Dialect {
  readonly #results: Results
  #file: string | null = null
  #printed = false
  #behind = false
  #details = false
  #timed = false
  /** Results that name their file, and results below their file's line. */
  readonly #listed: Paragraph[] = []
  readonly #nested: Result[] = []
  readonly #fails: Result[] = []
  #kept = 0
  #gap = true
  #files = 0
  #figures: { passed: number; failed: number } | null = null

  constructor (results: Results) {
    this.#results = results
  }

  wants (bytes: Uint8Array, start: number, end: number): boolean {
    if (end === start) return true
    const first = bytes[start]
    if (first === 0x73) return bytes[start + 1] === 0x74 && bytes[start + 2] === 0x64 // stdout |
    return first === 0x20 || first === 0xe2
  }

  line (text: string, number: number): void {
    if (text === '') {
      this.#printed = false
      this.#gap = true
      return
    }
    if (/^std(out|err) \| /.test(text)) this.#printed = this.#behind = true
    if (this.#printed) return
    if (text.charCodeAt(0) === 0x20) this.#indented(text, number)
    else if (/^⎯+ (Failed|Unhandled) /.test(text)) this.#details = true
  }

  #indented (text: string, number: number): void {
    const version = /^ (?:RUN|DEV) +v(\d+)\./.exec(text)
    if (version !== null) this.#timed = Number(version[1]) >= 3
    else if (text.startsWith(' FAIL  ')) this.#fail(text.slice(7), number)
    else if (/^ +Tests  /.test(text)) this.#sums(text)
    else if (!this.#details) {
      const match = line.exec(text)
      if (match !== null) this.#result(match[1]!.length, match[2]!, match[3]!, number)
    }
  }

  #result (indent: number, mark: string, text: string, number: number): void {
    const file = indent === 1 ? fileLine.exec(text) : null
    if (file !== null) {
      this.#file = file[1]!
      this.#files++
      this.#behind = false
      if (file[2] === '0' && mark === '❯') this.#results.suite(this.#file, 'error')
      else this.#results.suite(this.#file, marks[mark] === 'failed' ? 'failed' : 'passed')
      return
    }
    const name = this.#withoutDuration(text)
    if (indent === 1 && name.includes(' > ')) this.#list(...split(name), marks[mark]!, number)
    else if (indent === 3 && this.#file !== null) {
      const whole = name.startsWith(`${this.#file} > `) ? split(name)[1] : name
      if (this.#room()) this.#nested.push({ id: `${this.#file}::${printable(whole)}`, status: marks[mark]!, line: number })
    }
  }

  #list (file: string, name: string, status: LogStatus, line: number): void {
    if (!this.#room()) return
    if (this.#gap) this.#listed.push({ results: [], behind: this.#behind })
    this.#gap = false
    this.#listed.at(-1)!.results.push({ id: `${file}::${printable(name)}`, status, line })
  }

  #room (): boolean {
    return this.#kept++ < this.#results.limits.testsMax
  }

  #fail (text: string, number: number): void {
    this.#details = true
    const plain = text.replace(/^\|[^|]+\| /, '')
    const suite = /^(.*) \[ .* \]$/.exec(plain)
    if (suite !== null && !suite[1]!.includes(' > ')) return this.#results.suite(suite[1]!, 'error', 'the file could not be loaded')
    const [file, name] = split(plain)
    if (name === '') return this.#results.suite(file, 'error')
    if (this.#room()) this.#fails.push({ id: `${file}::${printable(name)}`, status: 'failed', line: number })
  }

  #withoutDuration (text: string): string {
    const match = / +(\d+)(ms|s)$/.exec(text)
    const name = match !== null && (this.#timed || match[2] === 's' || Number(match[1]) >= slowMs) ? text.slice(0, match.index) : text
    return name.replace(/ \((?:retry|repeat) x\d+(?:, (?:retry|repeat) x\d+)?\)$/, '')
  }

  /** `Tests  2 failed | 11 passed | 1 skipped | 1 todo (15)`. */
  #sums (text: string): void {
    const count = (word: string): number => Number(new RegExp(`(\\d+) ${word}\\b`).exec(text)?.[1] ?? 0)
    this.#results.complete = true
    this.#figures = { passed: count('passed'), failed: count('failed') }
  }

  end (): void {
    const results = this.#files > 0 ? this.#nested : this.#withoutPrinted()
    if (this.#files > 0) for (const { results: [first] } of this.#listed) this.#results.problem('FORGED_LINE', `${brief(first!.id)} is a result in a form that this reporter does not print`, first!.line)
    // Failures always have their duration in version 2; their names stand below without one.
    const names = new Set(this.#fails.map(({ id }) => id))
    for (const result of results) {
      const bare = result.status === 'failed' && !names.has(result.id) ? result.id.replace(/ +\d+m?s$/, '') : result.id
      if (bare !== result.id && names.has(bare)) result.id = bare
      else if (bare !== result.id && this.#figures === null) continue
      this.#results.add(result.id, result.status, result.line)
    }
    const failed = new Set(results.flatMap(({ id, status }) => status === 'failed' ? [id] : []))
    const late = this.#fails.filter(({ id }) => !failed.has(id))
    for (const { id, status, line } of late) this.#results.add(id, status, line)
    if (this.#figures === null) return
    const seen = count(results)
    if (this.#files > 0 && this.#figures.passed > seen.passed) this.#results.problem('NAMES_MISSING', `${this.#figures.passed} tests passed, the log names ${seen.passed}`)
    else this.#results.expect('passed tests', this.#figures.passed, seen.passed)
    this.#results.expect('failed tests', this.#figures.failed, seen.failed + late.length)
  }

  /** V1. */
  #withoutPrinted (): Result[] {
    const all = this.#listed.flatMap(({ results }) => results)
    const figures = this.#figures
    // Of a log without its end only what cannot be output.
    if (figures === null) return this.#listed.flatMap(({ results, behind }) => behind ? [] : results)
    const seen = count(all)
    const suspects = this.#listed.filter(({ behind }) => behind).slice(0, suspectsMax)
    const [passed, failed] = [seen.passed - figures.passed, seen.failed - figures.failed]
    if (passed < 0 || failed < 0 || passed + failed === 0) return all
    const sums = suspects.map(({ results }) => count(results))
    const ways: number[] = []
    for (let choice = 1; choice < 1 << suspects.length; choice++) {
      const chosen = sums.filter((_, index) => (choice >> index & 1) === 1)
      if (chosen.reduce((sum, { passed }) => sum + passed, 0) === passed && chosen.reduce((sum, { failed }) => sum + failed, 0) === failed) ways.push(choice)
    }
    if (ways.length !== 1) return all
    const forged = new Set(suspects.filter((_, index) => (ways[0]! >> index & 1) === 1))
    for (const { results: [first] } of forged) this.#results.problem('FORGED_LINE', `${brief(first!.id)} was printed by a test`, first!.line)
    return this.#listed.filter(paragraph => !forged.has(paragraph)).flatMap(({ results }) => results)
  }
}

function count (results: readonly Result[]): { passed: number; failed: number } {
  const sum = { passed: 0, failed: 0 }
  for (const { status } of results) if (status === 'passed' || status === 'failed') sum[status]++
  return sum
}

function split (name: string): [string, string] {
  const at = name.indexOf(' > ')
  return at === -1 ? [name, ''] : [name.slice(0, at), name.slice(at + 3)]
}
