// What a reader has found so far, within its limits.
//
// W. A test that is named twice has the worst of its results: error, failed, passed, skipped. Readers leave out what a
//    runner prints of an attempt that it repeats, so of reruns only the last result comes here.

import type { LogLimits } from './limits.ts'
import type { LogReading, LogStatus, ProblemCode, SuiteState } from './types.ts'

const severity: Record<LogStatus, number> = { skipped: 0, passed: 1, failed: 2, error: 3 }
const reasonCharsMax = 500
/** Of one code. */
const sameProblemsMax = 10

export const worse = (one: LogStatus, other: LogStatus): LogStatus => severity[one] >= severity[other] ? one : other

export class Results {
  readonly tests = new Map<string, LogStatus>()
  readonly suites = new Map<string, SuiteState>()
  readonly problems: LogReading['problems'] = []
  readonly limits: LogLimits
  /** The runner's last words were seen. */
  complete = false
  /** The line being read is so long that a part of it, kept, should not keep the whole. */
  long = false
  #idChars = 0
  readonly #problemCounts = new Map<ProblemCode, number>()

  constructor (limits: LogLimits) {
    this.limits = limits
  }

  /** `again`: a second result is nothing to wonder about, such as the error of a tear-down behind a pass. */
  add (id: string, status: LogStatus, line?: number, again = false): void {
    const known = this.tests.get(id)
    if (known !== undefined) {
      if (known !== status && !again) this.problem('DUPLICATE_ID', `${brief(id)} is ${known} and ${status}`, line)
      this.tests.set(id, worse(known, status))
      return
    }
    if (this.allows(id, line)) this.tests.set(this.long ? detached(id) : id, status)
  }

  /** Whether there is room for one more test, with this id. */
  allows (id: string, line?: number): boolean {
    const { idCharsMax, idCharsTotalMax, testsMax } = this.limits
    if (id.length > idCharsMax) {
      this.problem('ID_TOO_LONG', `an id has ${id.length} characters, the limit is ${idCharsMax} (idCharsMax)`, line)
      return false
    }
    if (this.tests.size >= testsMax || this.#idChars + id.length > idCharsTotalMax) {
      this.problem('TOO_MANY_TESTS', `the log names more than ${testsMax} tests (testsMax), or ${idCharsTotalMax} characters of ids (idCharsTotalMax)`, line)
      return false
    }
    this.#idChars += id.length
    if (id.includes('\ufffd')) this.problem('INVALID_UTF8', `${brief(id)} holds bytes that are no UTF-8`, line)
    return true
  }

  suite (name: string, status: SuiteState['status'], reason?: string): void {
    const known = this.suites.get(name)
    if (known !== undefined && severity[known.status] >= severity[status]) {
      if (known.reason === undefined && reason !== undefined && known.status === status) known.reason = reason.slice(0, reasonCharsMax)
      return
    }
    if (known === undefined && this.suites.size >= this.limits.suitesMax) return
    this.suites.set(name, { name: name.slice(0, this.limits.idCharsMax), status, ...(reason !== undefined ? { reason: reason.slice(0, reasonCharsMax) } : {}) })
  }

  problem (code: ProblemCode, what: string, line?: number): void {
    const count = this.#problemCounts.get(code) ?? 0
    this.#problemCounts.set(code, count + 1)
    if (count >= sameProblemsMax || this.problems.length >= this.limits.problemsMax) return
    this.problems.push({ code, ...(line !== undefined ? { line } : {}), what: what.slice(0, reasonCharsMax) })
  }

  has (code: ProblemCode): boolean {
    return this.#problemCounts.has(code)
  }

  /** Holds a figure of the log's own summary against what was seen. */
  expect (what: string, counted: number, seen: number): void {
    if (counted !== seen) this.problem('COUNTS_DISAGREE', `the log counts ${counted} ${what}, and shows ${seen}`)
  }

  count (...statuses: LogStatus[]): number {
    let count = 0
    for (const status of this.tests.values()) if (statuses.includes(status)) count++
    return count
  }

  get failing (): boolean {
    for (const status of this.tests.values()) if (status === 'failed' || status === 'error') return true
    for (const { status } of this.suites.values()) if (status !== 'passed') return true
    return false
  }
}

export const longLine = 1024

/** A string of its own: parts of strings keep the whole in memory. */
export const detached = (text: string): string => Buffer.from(text).toString()

export const brief = (text: string): string => JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text)

/** Names as Spar's scripts print them: control characters as JSON escapes. */
// eslint-disable-next-line no-control-regex
export const printable = (name: string): string => /[\u0000-\u001f\u2028\u2029]/.test(name)
  // eslint-disable-next-line no-control-regex
  ? name.replace(/[\u0000-\u001f\u2028\u2029]/g, c => JSON.stringify(c).slice(1, -1))
  : name
