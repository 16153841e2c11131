// TAP with subtests, as node-tap and node:test print it. A subtest is announced, `# Subtest: name`, and closed by a result
// of the same depth, one indentation of four. What is a test: every subtest and every result at the root; an assertion
// inside of a subtest is none. Ids are `outer > inner`, with `file::` where the log says the file.
//
// T1. Results of a level are counted through. One out of turn was printed by a test; where two claim a number, the
//     announced one is the runner's.
// T2. node:test announces every result, and says in the block below which are suites: those are no tests.
// T3. A block of YAML follows its result at once; nothing in it is a result.
// T4. After a plan that closes a level nothing of that level counts, until another document begins.

import { brief, detached, longLine, printable, type Results } from './results.ts'
import type { Dialect, LogStatus } from './types.ts'

interface Held { id: string; status: LogStatus; number: number; announced: boolean; line: number; root: boolean; suite: string | null; block: boolean }
interface Point { ok: boolean; count: number; name: string; directive: string; depth: number; line: number; opens: boolean }
interface Level { name: string | null; next: number; plan: number | null; closed: boolean; held: Held | null }

const sourceFile = /\.[cm]?[jt]sx?$/
/** node:test reports a file that failed as a whole, or that holds no test, by its path. */
export const isFile = (name: string): boolean => sourceFile.test(name) && /[\\/]/.test(name)
const space = 0x20
const announcement = Buffer.from('# Subtest: ')

export class Tap implements Dialect {
  readonly #results: Results
  readonly #node: boolean
  readonly #markers: boolean
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

  /** `markers`: whether `# file: path` may announce files, as Spar's scripts do. */
  constructor (results: Results, kind: 'tap' | 'node', markers: boolean) {
    this.#results = results
    this.#node = kind === 'node'
    this.#markers = markers
  }

  wants (bytes: Buffer, start: number, end: number): boolean {
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
      case 0x6f: return bytes[at + 1] === 0x6b && indent % 4 === 0 && !this.#counted(bytes, at + 2, end, indent / 4, true) // ok
      case 0x6e: return bytes[at + 1] === 0x6f && bytes[at + 2] === 0x74 && indent % 4 === 0 && !this.#counted(bytes, at + 6, end, indent / 4, false)
      case 0x23: return (bytes[at + 2] === 0x53 && indent % 4 === 0 && !this.#announced(bytes, at, end, indent / 4)) || (indent === 0 && bytes[at + 2] === 0x66) || this.#footer(bytes, at) // # Subtest, # file, # tests
      case 0x2d: return indent === this.#afterResult && bytes[at + 1] === 0x2d
      case 0x31: return bytes[at + 1] === 0x2e // 1..n
      case 0x7d: return true
      case 0x54: return bytes[at + 1] === 0x41 && indent === 0
      case 0x42: return bytes[at + 1] === 0x61
    }
    return false
  }

  /**
   * Most results need no string: assertions inside of a subtest are only counted, and the result of a subtest repeats the
   * name that announced it. `start` is behind the word. False where the line has to be read.
   */
  #counted (bytes: Buffer, start: number, end: number, depth: number, ok: boolean): boolean {
    const level = this.#levels[depth]
    if (level === undefined || level.closed || bytes[end - 1] === 0x7b || bytes[start] !== space) return false
    let at = start + 1
    let count = 0
    for (; at < end && bytes[at]! >= 0x30 && bytes[at]! <= 0x39 && count < 1e9; at++) count = count * 10 + bytes[at]! - 0x30
    if (count !== level.next || (at < end && bytes[at] !== space)) return false
    if (level.name !== null) {
      if (depth < this.#base || !repeats(bytes, at, end, level.name)) return false
      this.#take(level, { ok, count, name: level.name, directive: '', depth, line: this.#number, opens: false })
      return true
    }
    if (this.#node || depth <= this.#base || this.#levels.length > depth + 1 || level.held !== null) return false
    level.next++
    if (level.plan !== null && level.next > level.plan) level.closed = true
    this.#afterResult = depth * 4 + 2
    this.#resultLine = this.#number
    return true
  }

  #footer (bytes: Buffer, at: number): boolean {
    return this.#node && bytes[at + 2] === 0x74 && bytes[at + 3] === 0x65
  }

  line (text: string, number: number): void {
    if (this.#buffered !== null) this.#flushBuffered(/^ +\S/.test(text))
    let indent = 0
    while (text.charCodeAt(indent) === space) indent++
    const words = text.slice(indent)
    if (this.#yaml !== -1) return this.#inYaml(words)
    if (words === '---' && indent === this.#afterResult && this.#number === this.#resultLine + 1) {
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
    if (words.endsWith(' {')) this.#buffered = { depth, text: words, number }
    else this.#result(match[1] === undefined, Number(match[2]), match[3]!, depth, number, false)
  }

  /** ` {` at the end of a result opens a subtest that is indented below it; without one it is part of the name. */
  #flushBuffered (indented: boolean): void {
    const { depth, text, number } = this.#buffered!
    this.#buffered = null
    const [, not, count, rest] = /^(not )?ok (\d+)(.*)$/.exec(text)!
    this.#result(not === undefined, Number(count), indented ? rest!.slice(0, -2) : rest!, depth, number, indented)
  }

  /** A log with markers begins with one; where results came first, a test printed it. */
  #marker (name: string): void {
    if (this.#markers && (this.#isFile || (!this.#begun && this.#levels.length === 0))) this.file(name)
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
    if (depth === 0 && words.startsWith('# file: ')) return this.#marker(words.slice(8))
    if (depth === 0 && this.#node && /^# tests \d+$/.test(words)) {
      this.#results.complete = true
      return this.#figure(Number(words.slice(8)))
    }
    if (words === '# Subtest') this.#announce('', depth)
    else if (words.startsWith('# Subtest: ')) this.#announce(detached(unescape(words.slice(11).trim())), depth)
  }

  /** `# Subtest: name` needs no more of the line than the name. False where the line has to be read. */
  #announced (bytes: Buffer, at: number, end: number, depth: number): boolean {
    if (depth > this.#results.limits.depthMax || end - at < announcement.length || end - at > longLine) return false
    for (let index = 0; index < announcement.length; index++) if (bytes[at + index] !== announcement[index]) return false
    this.#announce(unescape(bytes.toString('utf8', at + announcement.length, end).trim()), depth)
    return true
  }

  #announce (name: string, depth: number): void {
    if (depth === 0 && !this.#isFile && !this.#node && sourceFile.test(name)) {
      this.#endLevels(1)
      this.#prefix = `${name}::`
      this.#base = 1
    }
    this.#level(depth).name = name
    if (this.#levels.length > depth + 1) this.#endLevels(depth + 1)
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

  #level (depth: number): Level {
    while (this.#levels.length <= depth) this.#levels.push({ name: null, next: 1, plan: null, closed: false, held: null })
    return this.#levels[depth]!
  }

  #planned (words: string, depth: number): void {
    const match = /^1\.\.(\d+)(?:\s*#.*)?$/.exec(words)
    if (match === null) return
    const level = this.#level(depth)
    if (level.plan !== null) return
    level.plan = Number(match[1])
    // A plan in front closes the level when it is fulfilled; one behind closes it now.
    level.closed = level.next > 1 || level.plan === 0
    if (level.closed && depth === 0 && !this.#node) this.#results.complete = true
  }

  #result (ok: boolean, count: number, text: string, depth: number, line: number, opens: boolean): void {
    const { name, directive } = describe(text)
    this.#take(this.#level(depth), { ok, count, name, directive, depth, line, opens })
  }

  #take (level: Level, point: Point): void {
    const { ok, count, name, depth, line, opens } = point
    if (this.#levels.length > depth + 1) this.#endLevels(depth + 1)
    const announced = level.name !== null && level.name === name
    const { held } = level
    const claimed = held !== null && held.number === count && announced && !held.announced
    if (!claimed && (count !== level.next || level.closed || (this.#node && !announced))) {
      return this.#results.problem('FORGED_LINE', `result ${count} ${brief(name)} is out of turn`, line)
    }
    if (claimed) this.#results.problem('FORGED_LINE', `result ${count} is claimed twice; ${brief(held.id)} was not announced`, held.line)
    else if (held !== null) this.#settle(level)
    level.next = count + 1
    level.held = null
    if (depth < this.#base) this.#results.suite(name, ok ? 'passed' : 'failed')
    else if (name !== '' && (level.name !== null || opens || depth === this.#base)) level.held = this.#hold(point, announced)
    if (level.plan !== null && level.next > level.plan) this.#fulfilled(level, depth)
    level.name = opens ? name : null
    this.#afterResult = depth * 4 + 2
    this.#resultLine = this.#number
  }

  #hold ({ ok, count, name, directive, depth, line }: Point, announced: boolean): Held {
    const status: LogStatus = directive !== '' && /^(skip|todo)\b/i.test(directive) ? 'skipped' : ok ? 'passed' : 'failed'
    const path = depth === this.#base ? this.#prefix : this.#prefix + this.#path(depth)
    return { id: path === '' ? printable(name) : path + printable(name), status, number: count, announced, line, root: depth === 0, suite: null, block: false }
  }

  #path (depth: number): string {
    let path = ''
    for (let above = this.#base; above < depth; above++) {
      const { name } = this.#levels[above]!
      if (name !== null) path += `${printable(name)} > `
    }
    return path
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
  let start = 0
  while (text.charCodeAt(start) === space) start++
  if (text.charCodeAt(start) === 0x2d) start += text.charCodeAt(start + 1) === space ? 2 : 1
  for (let at = text.indexOf('#', start); at !== -1; at = text.indexOf('#', at + 1)) {
    if (at > start && !isBlank(text.charCodeAt(at - 1))) continue
    const directive = text.slice(at + 1).trimStart()
    if (/^(?:skip|todo|time=)/i.test(directive)) return { name: unescape(text.slice(start, at).trim()), directive }
  }
  return { name: unescape(text.slice(start).trim()), directive: '' }
}

/** Whether ` - name` stands there, and behind it nothing or the time. Only names of plain ASCII are compared. */
function repeats (bytes: Buffer, start: number, end: number, name: string): boolean {
  const from = start + 3
  const to = from + name.length
  if (name === '' || to > end || bytes[start + 1] !== 0x2d || bytes[start + 2] !== space) return false
  for (let at = 0; at < name.length; at++) if (bytes[from + at] !== name.charCodeAt(at) || name.charCodeAt(at) > 0x7e) return false
  return to === end || (bytes[to] === space && bytes[to + 1] === 0x23 && bytes[to + 2] === space && bytes[to + 3] === 0x74 && bytes[to + 4] === 0x69 && bytes[to + 5] === 0x6d)
}

const isBlank = (code: number): boolean => code === space || code === 9

const unescape = (text: string): string => text.includes('\\') ? text.replace(/\\([#\\])/g, '$1') : text
