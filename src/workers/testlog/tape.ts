// TAP as tape prints it: flat. `# name` opens a test, and the assertions below are its own until the next one; a test has
// the worst of them. Without assertions it has no result. A comment of a test looks like the name of one.
//
// A. Assertions are counted through, over all tests of a file; one out of turn was printed by a test.

import type { Results } from './results.ts'
import type { Dialect } from './types.ts'

export class Tape implements Dialect {
  readonly #results: Results
  readonly #markers: boolean
  #prefix = ''
  #test: string | null = null
  #next = 1
  #over = false
  #files = 0

  /** `markers`: whether `# file: path` may announce files, as Spar's scripts do. A log with markers begins with one. */
  constructor (results: Results, markers: boolean) {
    this.#results = results
    this.#markers = markers
  }

  wants (bytes: Uint8Array, start: number): boolean {
    const first = bytes[start]
    return first === 0x23 || (first === 0x6f && bytes[start + 1] === 0x6b) || (first === 0x6e && bytes[start + 1] === 0x6f) ||
      (first === 0x31 && bytes[start + 1] === 0x2e) || (first === 0x54 && bytes[start + 1] === 0x41)
  }

  file (name: string): void {
    this.#close()
    this.#files++
    this.#prefix = `${name}::`
    this.#reset()
  }

  line (text: string, number: number): void {
    if (text.startsWith('# file: ') && this.#markers && (this.#files > 0 || (this.#next === 1 && !this.#over))) return this.file(text.slice(8))
    if (text.startsWith('TAP version ') && this.#files === 0 && this.#over) return this.#reset()
    if (this.#over) return
    const plan = /^1\.\.(\d+)$/.exec(text)
    if (plan !== null) this.#planned(Number(plan[1]), number)
    else if (text.startsWith('# ')) this.#begin(text.slice(2).trim(), number)
    else this.#assertion(text, number)
  }

  #begin (test: string, number: number): void {
    this.#test = test
    if (test.startsWith('SKIP ')) this.#results.add(this.#prefix + test.slice(5), 'skipped', number, true)
  }

  #reset (): void {
    this.#test = null
    this.#next = 1
    this.#over = false
    this.#results.complete = false
  }

  #planned (count: number, number: number): void {
    this.#over = true
    this.#results.complete = true
    if (count !== this.#next - 1) this.#results.problem('PLAN_MISMATCH', `${this.#prefix}${this.#next - 1} assertions, the plan says ${count}`, number)
  }

  #assertion (text: string, number: number): void {
    const match = /^(not )?ok (\d+)(.*)$/.exec(text)
    if (match === null) return
    if (Number(match[2]) !== this.#next) return this.#results.problem('FORGED_LINE', `assertion ${match[2]} is out of turn, ${this.#next} comes next`, number)
    this.#next++
    if (this.#test === null) return
    const left = / # (skip|todo)\b/i.test(match[3]!)
    const marked = /^(?:SKIP|TODO) (.*)$/.exec(this.#test)
    if (left) this.#results.add(this.#prefix + (marked?.[1] ?? this.#test), 'skipped', number, true)
    else if (!this.#test.startsWith('SKIP')) this.#results.add(this.#prefix + this.#test, match[1] === undefined ? 'passed' : 'failed', number, true)
  }

  /** A file that a marker announced and that has no plan did not run to its end. */
  #close (): void {
    if (this.#files > 0 && !this.#over) this.#results.suite(this.#prefix.slice(0, -2), 'error', 'it has no plan')
  }

  end (): void {
    this.#close()
  }
}
