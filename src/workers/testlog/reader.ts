// The frame around every dialect: lines in, markers and limits, and at the end the checks that every runner shares.
//
// N. With a nonce only this counts: lines between `::spar <nonce> begin[ <file>]` and `::spar <nonce> end`, read by the
//    runner's dialect, and lines `::spar <nonce> PASSED|FAILED|SKIPPED|ERROR <id>`. Who does not know the nonce cannot
//    forge a result from outside; what a test prints while a region is open is inside.

import { SparError } from '../../errors.ts'
import { dialects } from './dialects.ts'
import { Junit } from './junit.ts'
import { LineSplitter, type LineSink } from './lines.ts'
import { logLimits, type LogLimits } from './limits.ts'
import { longLine, Results } from './results.ts'
import { logRunners, type Dialect, type LogReading, type LogRunner, type LogStatus } from './types.ts'

export interface LogOptions {
  runner: LogRunner
  /**
   * `own`: the runner's reporter. `launcher`: what Spar's scripts print, `# file: path` and `PASSED path::name`. `auto`
   * (default) takes the second where such results are found; say `own` where tests might print them.
   */
  form?: LogForm
  /** Of this run: then only what its markers enclose counts. Letters, digits, `-` and `_`. */
  nonce?: string
  /** Of the run, to hold the results against. Null: ended by a signal. Left out: not known. */
  exitCode?: number | null
  limits?: Partial<LogLimits>
}
export type LogForm = 'auto' | 'own' | 'launcher'

export interface LogReader {
  write (chunk: Uint8Array): void
  /** Ends the log. An exit code given here replaces the one of the options. */
  end (exitCode?: number | null): LogReading
}

/** A reader that is fed piece by piece, in bounded memory. Throws TESTLOG_UNKNOWN_RUNNER and TESTLOG_BAD_NONCE. */
export function createLogReader (options: LogOptions): LogReader {
  const { runner, form = 'auto', nonce } = options
  if (!logRunners.includes(runner)) throw new SparError('TESTLOG_UNKNOWN_RUNNER', `Cannot read a log of runner "${runner}": known are ${logRunners.join(', ')}`)
  if (nonce !== undefined && !/^[\w-]{1,128}$/.test(nonce)) throw new SparError('TESTLOG_BAD_NONCE', 'Cannot read a log by this nonce: it has to be 1 to 128 letters, digits, "-" or "_"')
  const limits = { ...logLimits, ...options.limits }
  const results = new Results(limits)
  const finish = (exitCode: number | null | undefined): LogReading => {
    checkExit(results, exitCode)
    return { tests: results.tests, suites: [...results.suites.values()], problems: results.problems }
  }
  if (runner === 'junit' && nonce === undefined) {
    const junit = new Junit(results)
    return {
      write: chunk => junit.write(chunk),
      end: (exitCode = options.exitCode) => { junit.end(); return finish(exitCode) }
    }
  }
  const frame = new Frame(results, dialects(runner, form, results), nonce)
  const splitter = new LineSplitter(frame, limits.lineBytesMax)
  return {
    write: chunk => splitter.write(chunk),
    end: (exitCode = options.exitCode) => {
      if (splitter.end()) results.problem('UNTERMINATED_LINE', 'the last line has no end and was not read', frame.number + 1)
      frame.end()
      return finish(exitCode)
    }
  }
}

/** Reads a whole log. Pure: the same bytes and options give the same reading. */
export function readTestLog (log: Uint8Array, options: LogOptions): LogReading {
  const reader = createLogReader(options)
  reader.write(log)
  return reader.end()
}

const marker = Buffer.from('::spar ')

class Frame implements LineSink {
  number = 0
  readonly #results: Results
  readonly #dialect: Dialect
  readonly #nonce: string | null
  #inside: boolean

  constructor (results: Results, dialect: Dialect, nonce: string | undefined) {
    this.#results = results
    this.#dialect = dialect
    this.#nonce = nonce ?? null
    this.#inside = nonce === undefined
  }

  line (bytes: Buffer, start: number, end: number, cut: boolean): void {
    const number = ++this.number
    if (cut) this.#results.problem('LINE_TOO_LONG', `the line is longer than ${this.#results.limits.lineBytesMax} bytes (lineBytesMax), its beginning was read`, number)
    if (this.#nonce !== null && bytes[start] === 0x3a && bytes.compare(marker, 0, 7, start, Math.min(start + 7, end)) === 0) {
      if (this.#marked(bytes.toString('utf8', start, end), number)) return
    }
    this.#results.long = end - start > longLine
    if (this.#inside && this.#dialect.wants(bytes, start, end)) this.#dialect.line(bytes.toString('utf8', start, end), number)
  }

  #marked (text: string, number: number): boolean {
    const [, nonce, word, rest] = /^::spar ([\w-]+) (begin|end|PASSED|FAILED|SKIPPED|ERROR)(?: (.*))?$/.exec(text) ?? []
    if (nonce !== this.#nonce) return false
    if (word === 'begin') {
      this.#inside = true
      if (rest !== undefined) this.#dialect.file?.(rest)
    } else if (word === 'end') this.#inside = false
    else if (rest !== undefined) {
      this.#results.complete = true
      this.#results.add(rest, word!.toLowerCase() as LogStatus, number)
    }
    return true
  }

  end (): void {
    this.#dialect.end()
    if (this.#nonce !== null && this.#inside) this.#results.problem('TRUNCATED', 'a region that a marker opened has no end')
    if (!this.#results.complete && this.#results.tests.size + this.#results.suites.size > 0) this.#results.problem('TRUNCATED', 'the end of the run is not in the log')
  }
}

function checkExit (results: Results, exitCode: number | null | undefined): void {
  if (results.tests.size === 0) results.problem('NO_TESTS', 'no test has a result in this log')
  if (exitCode === undefined) return
  if (exitCode === 0 && results.failing) results.problem('EXIT_CONTRADICTS', 'the run exits with 0, though the log shows failures')
  if (exitCode !== 0 && !results.failing) {
    const how = exitCode === null ? 'was ended by a signal' : `exits with ${exitCode}`
    results.problem('EXIT_CONTRADICTS', `the run ${how}, though the log shows no failure`)
  }
}
