// pytest: the short test summary (`-rA`, or failures alone as by default), progress lines (`-v`, xdist), and the last
// line's figures, which hold both to account.
//
// P1. A summary counts when the figures follow it. Of several the last counts: captured output may hold lookalikes, and
//     comes before. A log that is cut inside of its summary has the results of its progress lines only.
// P2. Where the summary names as many passed and failed tests as the figures say, it alone decides; a progress line that
//     claims more is forged. Skipped tests have no id in the summary, so theirs come from the progress lines.
// P3. `FAILED id - message`: where the id ends is settled by the names that progress lines, passes and the headings of
//     the failures give; else by the first `] - ` behind an opening bracket.
// P4. With -s a result stands behind the test's output, maybe on its last line (see OpenTests).

import { OpenTests } from './open-test.ts'
import { Figures, PytestSummary } from './pytest-summary.ts'
import { brief, detached, type Results, worse } from './results.ts'
import type { Dialect, LogStatus } from './types.ts'

export const pytestWords: Record<string, LogStatus | null> = {
  PASSED: 'passed', FAILED: 'failed', ERROR: 'error', SKIPPED: 'skipped', XFAIL: 'skipped', XPASS: 'passed', RERUN: null,
  SUBPASS: null, SUBPASSED: null, SUBSKIP: null, SUBSKIPPED: null, SUBXFAIL: null, SUBXFAILED: null, SUBFAIL: 'failed', SUBFAILED: 'failed'
}
const word = 'PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS|RERUN'
const percent = '(?: +\\[ *(?:\\d+%|\\d+/\\d+)\\])?'
const result = new RegExp(`^ (?:(${word})(?: \\(.*)?|\\S*(SUBFAIL(?:ED)?|SUBPASS(?:ED)?|SUBSKIP(?:PED)?|SUBXFAIL(?:ED)?)\\b.*|[[(].*(SUBFAIL|SUBPASS|SUBSKIP|SUBXFAIL))${percent} *$`)
const lone = new RegExp(`(${word})(?: \\(.*\\))?${percent} *$`)
const worker = /^\[gw\d+\] \[ *\d+%\] (?:([A-Z]+)|(SUB[A-Z]+ED)(?:\[.*?\])?(?: ?\(.*?\))?|.*(SUBFAIL|SUBPASS|SUBSKIP|SUBXFAIL)) (\S.*::.*?) *$/
const collected = /^(?:collecting .*)?collected \d+ items?\b/
const heading = /^=+ (.+?) =+$/
const endOfProgress = /^(FAILURES|ERRORS|PASSES|XPASSES|XFAILURES|short test summary info|warnings summary.*|rerun test summary info)$/

export class Pytest implements Dialect {
  readonly #results: Results
  readonly #progress = new Map<string, LogStatus>()
  readonly #open: OpenTests
  readonly #raw = { passed: 0, skipped: 0, failed: 0, error: 0 }
  readonly #headings = new Set<string>()
  #phase: 'progress' | 'sections' | 'summary' | 'over' = 'progress'
  #distributed = false
  /** Between the head of a session and its `collected 3 items` nothing is a result: tests print while they are loaded. */
  #collecting = false
  #section: PytestSummary
  #summary: PytestSummary | null = null
  #figures: Figures | null = null
  #summaries = 0
  #broken: string | null = null

  constructor (results: Results) {
    this.#results = results
    this.#section = new PytestSummary(results.limits)
    this.#open = new OpenTests(({ id, status, line }) => {
      if (status !== null) this.#seen(id, status, line)
      else if (!this.#distributed) this.#results.problem('UNFINISHED_TEST', `${brief(id)} began and has no result`, line)
    })
  }

  wants (bytes: Uint8Array, start: number, end: number): boolean {
    const first = bytes[start]
    if (end === start) return false
    if (first === 0x3d || first === 0x21 || first === 0x49) return true // = ! I
    if (this.#phase === 'progress') return first !== 0x20 || this.#open.current !== null
    if (this.#phase === 'sections') return first === 0x5f || (first! >= 0x30 && first! <= 0x39) || first === 0x6e // _, figures
    return first !== 0x20
  }

  line (text: string, number: number): void {
    const first = text.charCodeAt(0)
    if (first === 0x3d && this.#heading(text)) return
    if (this.#figuresAlone(text)) return
    if (text.startsWith('INTERNALERROR> ') || text.startsWith('ImportError while loading conftest')) this.#broken ??= detached(text.slice(0, 500))
    if (this.#phase === 'progress') this.#progressLine(text, number)
    else if (text.charCodeAt(0) === 0x5f) this.#failureHeading(text)
    else if (this.#phase === 'summary') this.#section.line(text)
    else if (text.startsWith('ERROR: ')) this.#broken ??= detached(text.slice(0, 500))
  }

  #heading (text: string): boolean {
    const title = heading.exec(text)?.[1]
    if (title === undefined) return false
    if (title === 'short test summary info') {
      this.#leaveProgress('summary')
      this.#section = new PytestSummary(this.#results.limits)
      return true
    }
    const figures = Figures.read(title)
    if (figures !== null && (this.#phase !== 'progress' || this.#open.free)) {
      this.#finish(figures)
      return true
    }
    if (title === 'test session starts') {
      if (this.#phase === 'over') this.#again()
      this.#collecting ||= this.#progress.size === 0 && this.#open.current === null
    }
    if (endOfProgress.test(title)) {
      if (this.#phase === 'progress' && !this.#open.free) return false
      this.#leaveProgress('sections')
    }
    return this.#phase !== 'progress'
  }

  /** `-q` prints the figures without a frame. */
  #figuresAlone (text: string): boolean {
    const first = text.charCodeAt(0)
    if (!((first >= 0x30 && first <= 0x39) || first === 0x6e) || (this.#phase === 'progress' && !this.#open.free)) return false
    const figures = Figures.read(text)
    if (figures === null) return false
    this.#finish(figures)
    return true
  }

  #leaveProgress (phase: 'sections' | 'summary'): void {
    this.#open.finish()
    this.#phase = phase
  }

  #finish (figures: Figures): void {
    this.#open.finish()
    if (this.#figures !== null) this.#summaries++
    this.#figures = figures
    this.#summary = this.#section
    this.#section = new PytestSummary(this.#results.limits)
    this.#phase = 'over'
  }

  /** A whole new run: progress lines of the one before count no more (P1). */
  #again (): void {
    this.#progress.clear()
    this.#headings.clear()
    this.#distributed = false
    Object.assign(this.#raw, { passed: 0, skipped: 0, failed: 0, error: 0 })
    this.#phase = 'progress'
  }

  // ---- progress -----------------------------------------------------------------------------------------------------

  #progressLine (text: string, number: number): void {
    if (text.charCodeAt(0) === 0x5b) { // [gw0] [ 10%] PASSED id
      const match = worker.exec(text)
      if (match !== null) {
        this.#distributed = true
        const status = pytestWords[(match[1] ?? match[2] ?? match[3])!]
        if (status) this.#seen(match[4]!, status, number)
        return
      }
    }
    if (this.#distributed) return
    if (this.#collecting) {
      this.#collecting = !collected.test(text)
      return
    }
    const colons = text.indexOf('::')
    const begun = colons > 0 ? this.#begin(text, colons, number) : false
    if (begun || this.#open.current === null) return
    const last = lone.exec(text)
    if (last !== null) this.#offer(last[1]!, last.index === 0)
  }

  /** A line that begins with a node id. False: it is none, or some other output. */
  #begin (text: string, colons: number, number: number): boolean {
    const end = idEnd(text, colons)
    const id = text.slice(0, end)
    const rest = text.slice(end)
    if (!this.#open.free && this.#open.current!.id !== id) return true
    const match = result.exec(rest)
    if (match === null) {
      if (rest !== '' && !rest.startsWith(' ')) return false
      this.#open.begin(id, number)
      const glued = lone.exec(rest)
      if (glued !== null) this.#offer(glued[1]!, false)
      return true
    }
    const status = pytestWords[(match[1] ?? match[2] ?? match[3])!]
    if (!status) return true
    if (this.#open.current?.id === id && this.#open.current.status === null) this.#open.drop()
    else this.#open.finish()
    this.#seen(id, status, number)
    return true
  }

  #offer (name: string, alone: boolean): void {
    const status = pytestWords[name]
    if (status) this.#open.offer(status, alone ? 'bare' : 'glued')
  }

  #seen (id: string, status: LogStatus, line: number): void {
    this.#raw[status]++
    const known = this.#progress.get(id)
    if (known !== undefined) this.#progress.set(id, worse(known, status))
    else if (this.#progress.size < this.#results.limits.testsMax && this.#results.allows(id, line)) this.#progress.set(this.#results.long ? detached(id) : id, status)
  }

  #failureHeading (text: string): void {
    const name = /^_+ (?:ERROR (?:at setup of|at teardown of|collecting) )?(.*) _+$/.exec(text)?.[1]
    if (name !== undefined && this.#headings.size < this.#results.limits.testsMax) this.#headings.add(this.#results.long ? detached(name) : name)
  }

  // ---- the end ------------------------------------------------------------------------------------------------------

  end (): void {
    const results = this.#results
    const running = this.#open.cut()
    if (running !== null && !this.#distributed) results.problem('UNFINISHED_TEST', `${brief(running.id)} began and has no result`, running.line)
    if (this.#broken !== null) results.suite('pytest', 'error', this.#broken)
    if (this.#figures === null) {
      for (const [id, status] of this.#progress) results.add(id, status)
      return
    }
    results.complete = true
    if (this.#summaries > 0) results.problem('SEVERAL_SUMMARIES', `the log holds ${this.#summaries + 1} runs or lookalikes of one; the last was read`)
    const known = (id: string, name: string): boolean => this.#progress.has(id) || this.#headings.has(name)
    const summary = this.#summary!.resolve(known)
    for (const { name, reason } of summary.suites) results.suite(name, 'error', reason)
    for (const [id, status] of summary.tests) results.add(id, status, undefined, true)
    this.#merge(this.#figures, summary.counts)
  }

  #merge (figures: Figures, counts: Record<'passed' | 'failed' | 'error' | 'xpassed' | 'xfailed', number>): void {
    const results = this.#results
    const passes = counts.passed === figures.passed
    const decided = passes && counts.failed === figures.failed && (figures.passed > 0 || this.#raw.passed === 0)
    for (const [id, status] of this.#progress) {
      if (results.tests.has(id)) results.add(id, status, undefined, true)
      else if (decided && status !== 'skipped' && counts.xpassed === figures.xpassed && counts.error === figures.errors) {
        results.problem('FORGED_LINE', `${brief(id)} is ${status} in a progress line, and not in the summary`)
      } else results.add(id, status)
    }
    if (decided) {
      const skips = figures.skipped + figures.xfailed
      if (this.#raw.skipped > skips) results.expect('skipped and expected failures', skips, this.#raw.skipped)
      return
    }
    const named = Math.max(counts.passed + counts.xpassed, this.#raw.passed)
    if (named === 0 && figures.passed > 0) results.problem('NAMES_MISSING', `${figures.passed} tests passed that the log does not name`)
    else results.expect('passed tests', figures.passed + (counts.passed > 0 && counts.xpassed === 0 && this.#raw.passed === 0 ? 0 : figures.xpassed), named)
    const failed = Math.max(counts.failed, this.#raw.failed)
    if (failed === 0 && figures.failed > 0) results.problem('NAMES_MISSING', `${figures.failed} tests failed that the log does not name`)
    else results.expect('failed tests', figures.failed, failed)
  }
}

/**
 * Where the node id ends that begins a progress line. A Python function's name holds no space; a parameter may hold
 * anything, so it ends at the last `]` in front of a result or of a space. Ids of other files end at the result.
 */
function idEnd (text: string, colons: number): number {
  let at = colons
  if (text.slice(0, colons).endsWith('.py')) {
    while (at < text.length && text.charCodeAt(at) !== 0x20 && text.charCodeAt(at) !== 0x5b) at++
    if (text.charCodeAt(at) !== 0x5b) return at
  }
  let fallback = -1
  for (let end = text.lastIndexOf(text.charCodeAt(at) === 0x5b ? '] ' : ' '); end > at; end = text.lastIndexOf(text.charCodeAt(at) === 0x5b ? '] ' : ' ', end - 1)) {
    const stop = text.charCodeAt(end) === 0x5d ? end + 1 : end
    if (fallback === -1) fallback = stop
    if (result.test(text.slice(stop))) return stop
  }
  if (text.endsWith(']') && fallback === -1) return text.length
  return fallback === -1 ? text.length : fallback
}
