// unittest of Python: progress lines (`-v`), the blocks of failures below them, and the figures at the end. Ids are
// `module.Class.test`; Python up to 3.10 prints `test (module.Class)`, later ones `test (module.Class.test)`.
//
// U1. In a run that came to its end the blocks say which tests failed; progress lines say which passed or were skipped.
//     A test whose subtests fail has no result of its own, only blocks.
// U2. A test begins with its name and ends with a word, maybe lines later, behind what it prints (see OpenTests). Up to
//     3.10 a test without a word stays on its line, and the next begins there: that is settled by the blocks.
// U3. `setUpClass (module.Class)` and `_FailedTest` are no tests: a suite could not be set up or loaded.

import { OpenTests } from './open-test.ts'
import { brief, detached, type Results, worse } from './results.ts'
import type { Dialect, LogStatus } from './types.ts'

const begins = /^( {2})?(\w+) \(([\w.<>]+)\)(.*)$/
const words = /(?:^|.* \.\.\. |.*?)(ok|FAIL|ERROR|expected failure|unexpected success|skipped (?:'.*'|".*"))$/
const block = /^(FAIL|ERROR|UNEXPECTED SUCCESS): (\w+) \(([\w.<>]+)\)(.*)$/

const statusOf = (word: string): LogStatus => word === 'ok' ? 'passed' : word === 'FAIL' || word === 'unexpected success' ? 'failed' : word === 'ERROR' ? 'error' : 'skipped'

interface Seen { status: LogStatus; line: number }

export class Unittest implements Dialect {
  readonly #results: Results
  readonly #progress = new Map<string, Seen>()
  readonly #blocks = new Map<string, LogStatus>()
  readonly #withSubtests = new Set<string>()
  readonly #open: OpenTests
  /** A test that begins on the line of an unfinished one (U2). */
  #glued: { id: string; status: LogStatus; outer: string; line: number }[] = []
  #separator = false
  #ran: number | null = null
  #verbose = 0

  constructor (results: Results) {
    this.#results = results
    this.#open = new OpenTests(({ id, status, line }) => { if (status !== null) this.#see(id, status, line) })
  }

  wants (): boolean {
    return true
  }

  line (text: string, number: number): void {
    if (text.startsWith('======================')) {
      this.#separator = true
      return
    }
    if (this.#separator && this.#block(text)) return
    this.#separator = false
    const ran = /^Ran (\d+) tests? in [\d.]+s$/.exec(text)
    if (ran !== null) {
      this.#open.finish()
      this.#ran = (this.#ran ?? 0) + Number(ran[1])
    } else if (this.#ran !== null && /^(OK|FAILED|NO TESTS RAN)( \(.*\))?$/.test(text)) this.#results.complete = true
    else this.#progressLine(text, number)
  }

  #block (text: string): boolean {
    const match = block.exec(text)
    if (match === null) return false
    this.#open.finish()
    const [, kind, name, owner, rest] = match
    if (name === 'setUpClass' || name === 'tearDownClass' || name === 'setUpModule' || name === 'tearDownModule') this.#results.suite(owner!, 'error', name)
    else if (owner!.startsWith('unittest.loader.')) this.#results.suite(name!, 'error', 'the module could not be loaded')
    else {
      const id = idOf(name!, owner!)
      const status = kind === 'ERROR' ? 'error' : 'failed'
      const known = this.#blocks.get(id)
      if (this.#blocks.size < this.#results.limits.testsMax || known !== undefined) this.#blocks.set(id, known === undefined ? status : worse(known, status))
      if (rest !== '') this.#withSubtests.add(id)
    }
    return true
  }

  #progressLine (text: string, number: number): void {
    const match = begins.exec(text)
    if (match === null) return this.#word(text)
    const [, subtest, name, owner, rest] = match
    const dots = rest!.lastIndexOf(' ... ')
    const id = idOf(name!, owner!)
    if (subtest !== undefined) {
      // A subtest that failed, on a line of its own: its test gets no other word.
      if (this.#open.current?.id === id && dots !== -1) this.#open.offer(statusOf(rest!.slice(dots + 5)), 'bare')
      return
    }
    if (rest !== '' && !rest!.startsWith(' ... ')) return this.#word(text)
    if (!this.#open.free && this.#open.current!.id !== id) return this.#word(text)
    this.#verbose++
    if (owner!.startsWith('unittest.loader.')) return this.#open.finish()
    this.#open.begin(id, number)
    this.#begun(id, rest!.slice(5), number)
  }

  #begun (outer: string, rest: string, number: number): void {
    const word = words.exec(rest)?.[1]
    if (word === undefined) return
    this.#open.offer(statusOf(word), word === rest ? 'exact' : 'glued')
    const inner = begins.exec(rest)
    if (inner !== null && inner[4]!.startsWith(' ... ')) {
      const id = idOf(inner[2]!, inner[3]!)
      if (this.#glued.length < 1000) this.#glued.push({ id, status: statusOf(word), outer, line: number })
    }
  }

  #word (text: string): void {
    const word = words.exec(text)?.[1]
    if (word === undefined) return
    // ERROR on a line of its own, with no test waiting, is that of a class that could not be set up.
    const waiting = this.#open.current !== null && this.#open.current.found !== 'exact'
    if (word === text && (word !== 'ERROR' || !this.#open.free)) this.#open.offer(statusOf(word), 'bare')
    else if (word !== text && waiting) this.#open.offer(statusOf(word), 'glued')
  }

  #see (id: string, status: LogStatus, line: number): void {
    const known = this.#progress.get(id)
    if (known !== undefined) known.status = worse(known.status, status)
    else if (this.#results.allows(id, line) && this.#progress.size < this.#results.limits.testsMax) this.#progress.set(detached(id), { status, line })
  }

  end (): void {
    const running = this.#open.cut()
    if (running !== null && this.#ran === null) this.#results.problem('UNFINISHED_TEST', `${brief(running.id)} began and has no result`, running.line)
    for (const { id, status, outer, line } of this.#glued) if (this.#withSubtests.has(outer)) this.#see(id, status, line)
    for (const [id, status] of this.#blocks) this.#results.add(id, status)
    for (const [id, { status, line }] of this.#progress) this.#settle(id, status, line)
    this.#check()
  }

  #settle (id: string, status: LogStatus, line: number): void {
    if (this.#results.tests.has(id)) return
    const failing = status === 'failed' || status === 'error'
    // U1: a failure without a block is the word of something else, such as the ERROR of the class that comes next.
    this.#results.add(id, failing && this.#results.complete && this.#blocks.size > 0 && status === 'error' ? 'passed' : status, line)
  }

  #check (): void {
    if (this.#ran === null) return
    if (this.#verbose === 0) {
      if (this.#ran > this.#results.tests.size) this.#results.problem('NAMES_MISSING', `${this.#ran} tests ran, the log names those that failed`)
      return
    }
    const loaded = [...this.#results.suites.values()].filter(({ reason }) => reason === 'the module could not be loaded').length
    this.#results.expect('tests', this.#ran, this.#results.tests.size + loaded)
  }
}

function idOf (name: string, owner: string): string {
  return owner.endsWith(`.${name}`) || owner === name ? owner : `${owner}.${name}`
}
