// JUnit XML, as pytest, node:test, vitest, mocha and jest reporters, go-junit-report, surefire and cargo-nextest write it.
// The id is `file::classname::name`, of what the report has of these. Where a report has enough for that, the id is that of
// the runner's text: pytest's files and classes give the node id, and node:test's constant class `test` gives way to the
// path of its suites, `outer > inner`. A log may hold several documents.
//
// X1. A test counts when its element is closed: of a report that is cut, whole tests count.
// X2. `<failure>` failed, `<error>` error, `<skipped>` skipped; the worst wins, except that node:test reports a test that
//     is to do as skipped and failed: skipped. Flaky and rerun elements are attempts before the last, and decide nothing.
// X3. An error without a class (pytest's collection), or jest's and go's entry for a suite that did not run, is a state of
//     the suite.

import { brief, printable, type Results, worse } from './results.ts'
import { isFile } from './tap.ts'
import type { Dialect, LogStatus } from './types.ts'
import { XmlScanner, type XmlSink } from './xml.ts'

/** `counted`: failures and errors, as the report sums them up. */
interface Suite { name: string; failed: number; errors: number; counted: number | null }
interface Case { id: string; name: string; classname: string; file: string; status: LogStatus; todo: boolean; message: string }

const tagBytesMax = 1 << 20
const notRun = /^(Test suite failed to run|\[(build|setup) failed\]|.* Test suite failed to run)$/

export class Junit implements XmlSink {
  readonly #results: Results
  readonly #xml: XmlScanner
  readonly #suites: Suite[] = []
  #case: Case | null = null
  #depth = 0
  /** Depth of the test that is open. */
  #casesAt = 0

  constructor (results: Results) {
    this.#results = results
    this.#xml = new XmlScanner(this, { tagBytesMax, depthMax: results.limits.depthMax })
  }

  write (chunk: Uint8Array): void {
    this.#xml.write(chunk)
  }

  bad (what: string): void {
    this.#results.problem('BAD_XML', `the report is read up to a point where ${what}`)
  }

  open (name: string, attribute: (name: string) => string | null): void {
    this.#depth++
    if (this.#case !== null) return this.#verdict(name, attribute)
    if (name === 'testsuite') this.#suites.push(openSuite(attribute))
    else if (name === 'testcase') {
      this.#case = this.#openCase(attribute)
      this.#casesAt = this.#depth
    }
  }

  #openCase (attribute: (name: string) => string | null): Case {
    const name = attribute('name') ?? ''
    const classname = attribute('classname') ?? ''
    const file = attribute('file') ?? ''
    const id = idOf(file, classname, name, this.#suites)
    return { id: id.slice(0, this.#results.limits.idCharsMax + 1), name, classname, file, status: 'passed', todo: false, message: '' }
  }

  #verdict (name: string, attribute: (name: string) => string | null): void {
    const test = this.#case!
    if (this.#depth !== this.#casesAt + 1) return
    const message = (): string => (attribute('message') ?? '').slice(0, 500)
    if (name === 'failure' || name === 'error') {
      test.status = test.status === 'skipped' || test.status === 'passed' ? name === 'error' ? 'error' : 'failed' : worse(test.status, name === 'error' ? 'error' : 'failed')
      test.message = message()
    } else if (name === 'skipped') {
      test.todo = attribute('type') === 'todo'
      if (test.status === 'passed') test.status = 'skipped'
    }
  }

  close (name: string): void {
    if (name === 'testcase' && this.#case !== null && this.#depth === this.#casesAt) this.#closeCase(this.#case)
    else if (name === 'testsuite' && this.#case === null && this.#suites.length > 0) this.#closeSuite(this.#suites.pop()!)
    this.#depth--
    if (this.#depth === 0) this.#results.complete = true
  }

  #closeCase (test: Case): void {
    this.#case = null
    const status = test.todo ? 'skipped' : test.status
    const suite = this.#suites.at(-1)
    if (suite !== undefined) {
      if (status === 'failed') suite.failed++
      if (status === 'error') suite.errors++
    }
    const isItsFile = isFile(test.name) && (test.classname === 'test' ? this.#suites.length === 0 : test.classname === test.name)
    const uncollected = (isItsFile && status !== 'passed') || (status === 'error' && (test.classname === '' || test.message === 'collection failure'))
    if (uncollected || ((status === 'error' || status === 'failed') && notRun.test(test.name))) {
      const name = test.file || (notRun.test(test.name) ? test.classname.replace(notRun, '') || this.#suites.at(-1)?.name : test.name) || test.name
      return this.#results.suite(name, 'error', test.message || undefined)
    }
    this.#results.add(test.id, status)
  }

  #closeSuite (suite: Suite): void {
    const { counted } = suite
    const around = this.#suites.at(-1)
    // What a suite counts of those in it differs from one reporter to the next.
    if (around !== undefined) Object.assign(around, { failed: around.failed + suite.failed, errors: around.errors + suite.errors, counted: null })
    this.#results.suite(suite.name, suite.errors > 0 || suite.failed > 0 ? 'failed' : 'passed')
    // How many tests there are is counted in as many ways as there are reporters; failures are not.
    if (counted !== null && counted !== suite.failed + suite.errors) {
      this.#results.problem('COUNTS_DISAGREE', `suite ${brief(suite.name)} counts ${counted} failures, and holds ${suite.failed + suite.errors}`)
    }
  }

  end (): void {
    if (this.#xml.open) {
      this.#results.complete = false
      this.#results.problem('TRUNCATED', 'the report is cut: elements are open at its end')
    }
  }
}

/** See the top of this file. A class that only says the name again adds nothing to it. */
function idOf (file: string, classname: string, name: string, suites: readonly Suite[]): string {
  const title = printable(name).trim()
  if (classname === 'test') return [...suites.map(suite => printable(suite.name)), title].join(' > ')
  const owner = classname.trim()
  if (file.endsWith('.py')) {
    const module = file.slice(0, -3).replaceAll('/', '.')
    if (`${owner}.`.startsWith(`${module}.`)) return [file, ...owner.slice(module.length + 1).split('.').filter(part => part !== ''), title].join('::')
  }
  const own = title === '' ? owner : owner === '' || (title.endsWith(owner) && (title.length === owner.length || title.at(-owner.length - 1) === ' ')) ? title : `${owner}::${title}`
  return file === '' ? own : `${file}::${own}`
}

function openSuite (attribute: (name: string) => string | null): Suite {
  const figure = (name: string): number => Number(attribute(name) ?? 0)
  const counted = attribute('failures') === null ? null : figure('failures') + figure('errors')
  return { name: attribute('name') ?? '', failed: 0, errors: 0, counted }
}

/** A report between markers: its lines are put together again. */
export class JunitLines implements Dialect {
  readonly #junit: Junit

  constructor (results: Results) {
    this.#junit = new Junit(results)
  }

  wants (): boolean {
    return true
  }

  line (text: string): void {
    this.#junit.write(Buffer.from(`${text}\n`))
  }

  end (): void {
    this.#junit.end()
  }
}
