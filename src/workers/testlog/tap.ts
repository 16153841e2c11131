// TAP with subtests, as node-tap and node:test print it. A subtest is announced, `# Subtest: name`, and closed by a result
// of the same depth, one indentation of four. What is a test: every subtest and every result at the root; an assertion
// inside of a subtest is none. Ids are `outer > inner`, with `file::` where the log says the file.
//
// T1. Results of a level are counted through. One out of turn was printed by a test; where two claim a number, the
//     announced one is the runner's.
// T2. node:test announces every result, and says in the block below which are suites: those are no tests.
// T3. A block of YAML follows its result at once; nothing in it is a result.
// T4. After a plan that closes a level nothing of that level counts, until another document begins.

import { brief, printable, type Results } from './results.ts'
import type { Dialect, LogStatus } from './types.ts'

interface Held { id: string; status: LogStatus; number: number; announced: boolean; line: number; root: boolean; suite: string | null; block: boolean }
interface Level { name: string | null; next: number; plan: number | null; closed: boolean; held: Held | null; isTest: boolean }

const sourceFile = /\.[cm]?[jt]sx?$/
/** node:test reports a file that failed as a whole, or that holds no test, by its path. */
export const isFile = (name: string): boolean => sourceFile.test(name) && /[\\/]/.test(name)
const space = 0x20

export class Tap implements Dialect {
  readonly #results: Results
  readonly #node: boolean
  #prefix = ''
  #base = 0
  #levels: Level[] = []
  #yaml = -1
  #afterResult = -1
  #resultLine = 0
  #buffered: { depth: number; text: string; number: number } | null = null
  #isFile = false
  #begun = false
  #number = 0

  constructor (results: Results, kind: 'tap' | 'node') {
    this.#results = results
    this.#node = kind === 'node'
  }

  wants (bytes: Uint8Array, start: number, end: number): boolean {
    this.#number++
    if (this.#buffered !== null) return true
    let at = start
    while (at < end && bytes[at] === space) at++
    const indent = at - start
    const first = bytes[at]
    if (this.#yaml !== -1) {
      if (indent === this.#yaml && first === 0x2e) return true
      return this.#node && indent === this.#yaml && (first === 0x74 || first === 0x65) // type, exitCode
    }
    switch (first) {
      case 0x6f: return bytes[at + 1] === 0x6b && indent % 4 === 0 // ok
      case 0x6e: return bytes[at + 1] === 0x6f && bytes[at + 2] === 0x74 && indent % 4 === 0
      case 0x23: return bytes[at + 2] === 0x53 || (indent === 0 && bytes[at + 2] === 0x66) || this.#footer(bytes, at) // # Subtest, # file, # tests
      case 0x2d: return indent === this.#afterResult && bytes[at + 1] === 0x2d
      case 0x31: return bytes[at + 1] === 0x2e // 1..n
      case 0x7d: return true
      case 0x54: return bytes[at + 1] === 0x41 && indent === 0
      case 0x42: return bytes[at + 1] === 0x61
    }
    return false
  }

  #footer (bytes: Uint8Array, at: number): boolean {
    return this.#node && bytes[at + 2] === 0x74 && bytes[at + 3] === 0x65
  }

  line (text: string, number: number): void {
    if (this.#buffered !== null) this.#flushBuffered(/^ +\S/.test(text))
    let indent = 0
    while (text.charCodeAt(indent) === space) indent++
    const words = text.slice(indent)
    if (this.#yaml !== -1) return this.#inYaml(words)
    if (words === '---' && indent === this.#afterResult && number === this.#resultLine + 1) {
      this.#yaml = indent
      return
    }
    if (indent % 4 !== 0) return
    const depth = indent / 4
    if (depth > this.#results.limits.depthMax) return this.#results.problem('TOO_DEEP', `subtests are nested deeper than ${this.#results.limits.depthMax} (depthMax)`, number)
    this.#words(words, depth, number)
  }

  #words (words: string, depth: number, number: number): void {
    const first = words.charCodeAt(0)
    if (first === 0x23) return this.#comment(words, depth, number)
    if (first === 0x7d) return words === '}' ? this.#leave(depth) : undefined
    if (first === 0x31) return this.#planned(words, depth)
    if (first === 0x54) return words.startsWith('TAP version ') ? this.#document() : undefined
    if (first === 0x42) return words.startsWith('Bail out!') ? this.#results.suite(this.#prefix.slice(0, -2) || 'tap', 'error', words) : undefined
    const match = /^(not )?ok (\d+)(.*)$/.exec(words)
    if (match === null) return
    if (/ \{$/.test(match[3]!)) this.#buffered = { depth, text: words, number }
    else this.#result(match[1] === undefined, Number(match[2]), match[3]!, depth, number, false)
  }

  /** ` {` at the end of a result opens a subtest that is indented below it; without one it is part of the name. */
  #flushBuffered (indented: boolean): void {
    const { depth, text, number } = this.#buffered!
    this.#buffered = null
    const [, not, count, rest] = /^(not )?ok (\d+)(.*)$/.exec(text)!
    this.#result(not === undefined, Number(count), indented ? rest!.slice(0, -2) : rest!, depth, number, indented)
  }

  file (name: string): void {
    this.#closeFile()
    this.#results.complete = false
    this.#prefix = `${name}::`
    this.#base = 0
    this.#isFile = true
    this.#yaml = -1
  }

  /** A file that a marker announced and that has no plan did not run to its end. */
  #closeFile (): void {
    const planned = this.#levels[0]?.plan != null
    this.#endLevels(0)
    if (this.#isFile && !planned) this.#results.suite(this.#prefix.slice(0, -2), 'error', 'it has no plan')
  }

  /** Another document in the same log: only behind a finished one, and where no marker says where files begin. */
  #document (): void {
    const root = this.#levels[0]
    if (this.#begun && !this.#isFile && (root === undefined || root.closed)) this.#endLevels(0)
    this.#begun = true
  }

  #comment (words: string, depth: number, number: number): void {
    if (depth === 0 && words.startsWith('# file: ')) return this.file(words.slice(8))
    if (depth === 0 && this.#node && /^# tests \d+$/.test(words)) {
      this.#results.complete = true
      return this.#figure(Number(words.slice(8)))
    }
    const subtest = /^# Subtest(?:: (.*))?$/.exec(words)
    if (subtest === null) return
    const name = unescape((subtest[1] ?? '').trim())
    if (depth === 0 && !this.#isFile && !this.#node && sourceFile.test(name)) {
      this.#endLevels(1)
      this.#prefix = `${name}::`
      this.#base = 1
    }
    this.#level(depth, number).name = name
    this.#endLevels(depth + 1)
  }

  #figure (counted: number): void {
    this.#settleAll()
    this.#tests = counted
  }

  #tests: number | null = null
  #seen = 0

  #inYaml (words: string): void {
    const held = this.#levels.at(-1)?.held
    if (words === '...') {
      this.#yaml = -1
      if (held) held.block = true
    }
    if (!held) return
    if (words === "type: 'suite'") held.suite = 'suite'
    else if (words.startsWith('exitCode: ') && held.suite === null) held.suite = 'file'
  }

  #level (depth: number, line: number): Level {
    while (this.#levels.length <= depth) this.#levels.push({ name: null, next: 1, plan: null, closed: false, held: null, isTest: false })
    return this.#levels[depth] ?? this.#level(depth, line)
  }

  #planned (words: string, depth: number): void {
    const match = /^1\.\.(\d+)(?:\s*#.*)?$/.exec(words)
    if (match === null) return
    const level = this.#level(depth, 0)
    if (level.plan !== null) return
    level.plan = Number(match[1])
    // A plan in front closes the level when it is fulfilled; one behind closes it now.
    level.closed = level.next > 1 || level.plan === 0
    if (level.closed && depth === 0 && !this.#node) this.#results.complete = true
  }

  #result (ok: boolean, count: number, text: string, depth: number, line: number, opens: boolean): void {
    const level = this.#level(depth, line)
    this.#endLevels(depth + 1)
    const { name, directive } = describe(text)
    const announced = level.name !== null && level.name === name
    const isTest = level.name !== null || opens || depth === this.#base
    const status: LogStatus = /^(skip|todo)\b/i.test(directive) ? 'skipped' : ok ? 'passed' : 'failed'
    const path = this.#levels.slice(this.#base, depth).flatMap(({ name }) => name === null ? [] : [printable(name)])
    const held: Held = { id: this.#prefix + [...path, printable(name)].join(' > '), status, number: count, announced, line, root: depth === 0, suite: null, block: false }
    const claimed = level.held !== null && level.held.number === count && announced && !level.held.announced
    if ((count !== level.next && !claimed) || (level.closed && !claimed) || (this.#node && !announced)) {
      return this.#results.problem('FORGED_LINE', `result ${count} ${brief(name)} is out of turn`, line)
    }
    if (claimed) this.#results.problem('FORGED_LINE', `result ${count} is claimed twice; ${brief(level.held!.id)} was not announced`, level.held!.line)
    else this.#settle(level)
    level.next = count + 1
    if (level.plan !== null && level.next > level.plan) this.#fulfilled(level, depth)
    level.held = isTest && name !== '' ? held : null
    if (depth < this.#base) { level.held = null; this.#results.suite(name, ok ? 'passed' : 'failed') }
    level.name = opens ? name : null
    this.#afterResult = depth * 4 + 2
    this.#resultLine = line
  }

  #fulfilled (level: Level, depth: number): void {
    level.closed = true
    if (depth === 0 && !this.#node) this.#results.complete = true
  }

  #settle (level: Level): void {
    const { held } = level
    if (held === null) return
    level.held = null
    if (held.suite === 'suite') return
    if (this.#node && held.root && isFile(held.id)) {
      this.#seen++
      return this.#results.suite(held.id, held.status === 'passed' ? 'passed' : 'error', held.suite === 'file' ? 'the file did not run to its end' : undefined)
    }
    this.#seen++
    this.#results.add(held.id, held.status, held.line)
  }

  #leave (depth: number): void {
    this.#endLevels(Math.max(this.#levels.length - 1, depth))
    const level = this.#levels[depth]
    if (level !== undefined) level.name = null
  }

  #endLevels (length: number): void {
    while (this.#levels.length > length) {
      const level = this.#levels.pop()!
      this.#settle(level)
      if (level.plan !== null && level.plan !== level.next - 1) {
        this.#results.problem('PLAN_MISMATCH', `${this.#prefix}a level of ${level.next - 1} results has a plan of ${level.plan}`)
      }
    }
  }

  #settleAll (): void {
    for (const level of this.#levels) this.#settle(level)
  }

  end (): void {
    if (this.#buffered !== null) this.#flushBuffered(false)
    // Cut: whether the last result is a test, its block would have said.
    if (this.#node && !this.#results.complete) for (const level of this.#levels) if (level.held?.block === false) level.held = null
    this.#settleAll()
    const root = this.#levels[0]
    if (root !== undefined && (root.plan === null || !root.closed) && !this.#node) this.#results.complete = false
    if (this.#tests !== null) this.#results.expect('tests', this.#tests, this.#seen)
    this.#closeFile()
  }
}

/** A directive counts behind an unescaped `#`, which is also where tap writes the time. */
function describe (text: string): { name: string; directive: string } {
  if (!text.includes('#')) return { name: unescape(text.replace(/^\s*(?:- ?)?/, '').trim()), directive: '' }
  const [, words, directive = ''] = /^\s*(?:- ?)?(.*?)(?:(?:^|\s+)(?<!\\)#\s*((?:skip|todo|time=).*))?$/i.exec(text)!
  return { name: unescape(words!.trim()), directive }
}

const unescape = (text: string): string => text.includes('\\') ? text.replace(/\\([#\\])/g, '$1') : text
