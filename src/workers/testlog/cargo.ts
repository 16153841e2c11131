// cargo test: for each binary its header, `running 3 tests`, a line a test, what failing tests printed, and the figures.
// Ids are `crate/source::path::test`, where crate and source are the header's: `thing/src/lib.rs::tests::works`; doc tests
// are `thing/doc::src/lib.rs - add (line 5)`.
//
// C1. Results stand between `running` and the figures, or the first `failures:`. What failing tests printed stands behind
//     that; figures end it only if they are those of the results above.
// C2. With one thread a name is printed before its test runs, so its output may stand between (see OpenTests).

import { OpenTests } from './open-test.ts'
import { brief, type Results } from './results.ts'
import type { Dialect, LogStatus } from './types.ts'

const header = /^ +Running (?:(?:unittests|benches) )?(\S.*?) \((?:.*[/\\])?([^/\\]+?)(?:-[0-9a-f]{16})?(?:\.exe)?\)$/
const begins = /^test (.+?)(?: - (?:should panic|compile|compile fail))? \.\.\. ?(.*)$/
const word = /^(?:.*?)(ok|FAILED|ignored|ignored, .*|bench: .*)$/
const figures = /^test result: (?:ok|FAILED)\. (\d+) passed; (\d+) failed; (\d+) ignored; (\d+) measured; \d+ filtered out(?:; finished in .*)?$/

const statusOf = (word: string): LogStatus => word === 'FAILED' ? 'failed' : word.startsWith('ignored') ? 'skipped' : 'passed'

export class Cargo implements Dialect {
  readonly #results: Results
  #binary = ''
  #phase: 'outside' | 'running' | 'failures' = 'outside'
  #seen = { passed: 0, failed: 0, skipped: 0 }
  #expected = 0
  readonly #open: OpenTests

  constructor (results: Results) {
    this.#results = results
    this.#open = new OpenTests(({ id, status, line }) => {
      if (status !== null) this.#add(id, status, line)
      else this.#results.problem('UNFINISHED_TEST', `${brief(id)} began and has no result`, line)
    })
  }

  wants (bytes: Uint8Array, start: number, end: number): boolean {
    if (end === start) return false
    const first = bytes[start]
    if (this.#phase === 'failures') return first === 0x74 // test result
    return this.#phase === 'running' || first === 0x20 || first === 0x65 || first === 0x72 || first === 0x74
  }

  line (text: string, number: number): void {
    const sum = text.startsWith('test result: ') ? figures.exec(text) : null
    if (sum !== null && this.#figures(sum, number)) return
    if (this.#phase === 'running') this.#running(text, number)
    else if (this.#phase === 'outside') this.#outside(text)
  }

  #outside (text: string): void {
    const match = header.exec(text)
    const doc = /^ +Doc-tests (\S+)$/.exec(text)
    const count = /^running (\d+) tests?$/.exec(text)
    const broken = /^error: could not compile `([^`]+)`(?: \(([^)]*)\))?/.exec(text)
    if (match !== null) this.#binary = `${match[2]}/${match[1]!.replaceAll('\\', '/')}`
    else if (doc !== null) this.#binary = `${doc[1]}/doc`
    else if (broken !== null) {
      this.#results.suite(broken[2] === undefined ? broken[1]! : `${broken[1]} (${broken[2]})`, 'error', text)
      this.#results.complete = true
    }
    else if (count !== null) {
      this.#results.complete = false
      this.#phase = 'running'
      this.#expected = Number(count[1])
      this.#seen = { passed: 0, failed: 0, skipped: 0 }
    }
  }

  #running (text: string, number: number): void {
    const match = begins.exec(text)
    if (match !== null && this.#open.free) {
      const [, name, rest] = match
      this.#open.begin(`${this.#binary}${this.#binary === '' ? '' : '::'}${name}`, number)
      const result = word.exec(rest!)?.[1]
      const exact = /^(?:ok|FAILED|ignored|ignored, .*|bench: .*)$/.test(rest!)
      if (result !== undefined) this.#open.offer(statusOf(exact ? rest! : result), exact ? 'exact' : 'glued')
      return
    }
    if (text === 'failures:' && this.#open.free) {
      this.#open.finish()
      this.#phase = 'failures'
      return
    }
    const late = match === null ? word.exec(text)?.[1] : undefined
    if (late !== undefined && !late.startsWith('ignored')) this.#open.offer(statusOf(late), late === text ? 'bare' : 'glued')
  }

  #add (id: string, status: LogStatus, line: number): void {
    if (this.#seen.passed + this.#seen.failed + this.#seen.skipped >= this.#expected) {
      return this.#results.problem('FORGED_LINE', `${brief(id)} is one more than the ${this.#expected} tests that run`, line)
    }
    this.#seen[status as 'passed']++
    this.#results.add(id, status, line)
  }

  /** False: figures that a failing test printed. */
  #figures (match: RegExpExecArray, number: number): boolean {
    if (this.#phase === 'outside') return false
    if (this.#phase === 'running' && !this.#open.free) return false
    this.#open.finish()
    const [passed, failed, ignored, measured] = match.slice(1, 5).map(Number) as [number, number, number, number]
    const { passed: seenPassed, failed: seenFailed, skipped } = this.#seen
    const agrees = passed + measured === seenPassed && failed === seenFailed && ignored === skipped
    if (!agrees && this.#phase === 'failures' && passed + failed + ignored + measured !== this.#expected) return false
    if (!agrees) this.#results.problem('COUNTS_DISAGREE', `${this.#binary} counts ${passed} passed, ${failed} failed and ${ignored} ignored, and shows ${seenPassed}, ${seenFailed} and ${skipped}`, number)
    this.#results.suite(this.#binary || 'tests', failed > 0 ? 'failed' : 'passed')
    this.#phase = 'outside'
    this.#results.complete = true
    return true
  }

  end (): void {
    const running = this.#open.cut()
    if (running !== null) this.#results.problem('UNFINISHED_TEST', `${brief(running.id)} began and has no result`, running.line)
    if (this.#phase !== 'outside') this.#results.complete = false
  }
}
