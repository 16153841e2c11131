// go test: the events of `-json`, or text. Ids are `package::TestName/sub`, or `file::TestName/sub` where Spar's script
// says which file defines a test.
//
// G1. In `-json` a result is an event; what tests print is inside of others. A line that is no event of go is output.
// G2. In text the package comes last, `ok package 0.1s`, so results wait for it; without one they have no id.
// G3. With -v a result needs its `=== RUN`; without it only failures are printed. Both may follow output that has no line
//     end.

import { brief, detached, type Results } from './results.ts'
import type { Dialect, LogStatus } from './types.ts'

const action: Record<string, LogStatus> = { pass: 'passed', fail: 'failed', skip: 'skipped' }
const result = /--- (PASS|FAIL|SKIP): (.+?) \(\d+\.\d+s\)$/
const words: Record<string, LogStatus> = { PASS: 'passed', FAIL: 'failed', SKIP: 'skipped' }
const packageLine = /^(ok {2}|FAIL|\? {3}|-{3}) ?\t([^\t ]+)(?:\t([^\t]*))?(?:\s(.*))?$/

interface Event { Action?: unknown; Package?: unknown; Test?: unknown; ImportPath?: unknown; FailedBuild?: unknown }

export class Go implements Dialect {
  readonly #results: Results
  readonly #markers: boolean
  readonly #waiting = new Map<string, { status: LogStatus; line: number }>()
  readonly #running = new Map<string, number>()
  readonly #ran = new Set<string>()
  readonly #files = new Map<string, string>()
  #marked = false
  #json = false
  #verbose = false

  /** `markers`: whether `# folder:` and `# test:` may say which file defines a test, as Spar's script does. */
  constructor (results: Results, markers: boolean) {
    this.#results = results
    this.#markers = markers
  }

  wants (bytes: Uint8Array, start: number, end: number): boolean {
    const first = bytes[start]
    if (first === 0x7b) return end - start > 20
    if (first === 0x23) return true
    if (this.#json) return false
    if (first === 0x3d || first === 0x2d || first === 0x6f || first === 0x46 || first === 0x3f || first === 0x20) return true
    return bytes[end - 1] === 0x29 && bytes[end - 2] === 0x73 // glued: … (0.00s)
  }

  line (text: string, number: number): void {
    const first = text.charCodeAt(0)
    if (first === 0x7b) this.#event(text, number)
    else if (first === 0x23) {
      if (this.#markers) this.#marker(text)
    }
    else if (!this.#json) this.#text(text, number)
  }

  #marker (text: string): void {
    if (text.startsWith('# folder: ') && (this.#marked || (!this.#json && !this.#verbose && this.#waiting.size === 0))) {
      this.#files.clear()
      this.#marked = true
    } else if (text.startsWith('# test: ') && this.#marked) {
      const tab = text.indexOf('\t')
      if (tab !== -1 && this.#files.size < this.#results.limits.testsMax) this.#files.set(text.slice(8, tab), text.slice(tab + 1))
    }
  }

  // ---- -json --------------------------------------------------------------------------------------------------------

  #event (text: string, number: number): void {
    // Most events are output and decide nothing; they are long, so they are told apart without reading them.
    if (text.includes('"Action":"output"') && text.indexOf('"Action":"output"') < text.indexOf('"Output":')) {
      this.#json = true
      return
    }
    let event: Event
    try {
      event = JSON.parse(text) as Event
    } catch {
      return
    }
    if (typeof event.Action !== 'string') return
    if (event.Action === 'build-fail' && typeof event.ImportPath === 'string') return this.#results.suite(event.ImportPath.replace(/ \[.*\]$/, ''), 'error', 'build failed')
    if (typeof event.Package !== 'string' || !('Time' in event)) return
    this.#json = true
    const status = action[event.Action]
    if (typeof event.Test !== 'string') {
      if (status !== undefined) this.#package(event.Package, status, event.FailedBuild === undefined ? undefined : 'build failed')
      return
    }
    const name = `${event.Package}\0${event.Test}`
    if (event.Action === 'run') {
      if (this.#running.size < this.#results.limits.testsMax) this.#running.set(name, number)
    } else if (status !== undefined) {
      this.#running.delete(name)
      this.#add(event.Package, event.Test, status, number)
    }
  }

  #add (folder: string, name: string, status: LogStatus, line: number): void {
    if (!this.#marked) return this.#results.add(`${folder}::${name}`, status, line)
    const file = this.#files.get(name.split('/', 1)[0]!)
    if (file !== undefined) this.#results.add(`${file}::${name}`, status, line)
  }

  #package (name: string, status: LogStatus, reason?: string): void {
    this.#results.complete = true
    if (reason !== undefined) this.#results.suite(name, 'error', reason)
    else if (status !== 'skipped') this.#results.suite(name, status === 'failed' ? 'failed' : 'passed')
    for (const [key, line] of this.#running) {
      const [folder, test] = key.split('\0') as [string, string?]
      if (test !== undefined && folder !== name) continue
      this.#results.problem('UNFINISHED_TEST', `${brief(test ?? folder)} of ${name} began and has no result`, line)
      this.#running.delete(key)
    }
  }

  // ---- text ---------------------------------------------------------------------------------------------------------

  #text (text: string, number: number): void {
    if (text.startsWith('=== RUN   ')) {
      this.#verbose = true
      const name = text.slice(10)
      if (this.#running.size < this.#results.limits.testsMax && this.#results.allows(name, number)) this.#running.set(this.#results.long ? detached(name) : name, number)
      return
    }
    const match = result.exec(text)
    if (match !== null) return this.#result(text, match, number)
    const line = packageLine.exec(text)
    if (line !== null) this.#packageLine(line, text)
  }

  #result (text: string, match: RegExpExecArray, number: number): void {
    const name = match[2]!
    const glued = match.index > 0 && text.slice(0, match.index).trim() !== ''
    if (this.#verbose && !this.#running.has(name)) {
      if (!this.#ran.has(name)) this.#results.problem('FORGED_LINE', `${brief(name)} has a result and did not begin`, number)
      return
    }
    // Without -v only failures are printed.
    if (!this.#verbose && match[1] !== 'FAIL') return this.#results.problem('FORGED_LINE', `${brief(name)} has a result that is not printed without -v`, number)
    if (glued && !/^(?:Test|Example|Fuzz|Benchmark)\S*$/.test(name)) return
    this.#running.delete(name)
    this.#ran.add(this.#results.long ? detached(name) : name)
    if (this.#waiting.size < this.#results.limits.testsMax && this.#results.allows(name, number)) this.#waiting.set(this.#results.long ? detached(name) : name, { status: words[match[1]!]!, line: number })
  }

  #packageLine ([, word, name, rest]: RegExpExecArray, text: string): void {
    const reason = /\[((?:build|setup) failed)\]/.exec(text)?.[1]
    if (word === '?   ' || (rest === undefined && reason === undefined && word !== 'FAIL')) return this.#forget()
    if (reason !== undefined) {
      this.#results.complete = true
      return this.#results.suite(name!, 'error', reason)
    }
    for (const [test, { status, line }] of this.#waiting) this.#add(name!, test, status, line)
    this.#package(name!, word === 'FAIL' ? 'failed' : 'passed')
    if (!this.#verbose && word === 'ok  ') this.#results.problem('NAMES_MISSING', `the tests of ${name} that passed have no names`)
    this.#forget()
  }

  #forget (): void {
    this.#waiting.clear()
    this.#running.clear()
    this.#ran.clear()
  }

  end (): void {
    if (this.#waiting.size > 0) this.#results.problem('TRUNCATED', `${this.#waiting.size} results have no package`)
    if (this.#running.size > 0) this.#results.complete = false
  }
}
