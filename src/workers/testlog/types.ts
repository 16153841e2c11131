// The words of log reading. A reading is what can be told from a log alone: a state for each test that the log names, the
// state of whole suites where nothing came to run, and everything that speaks against believing it.

/** Whose output the log holds. `node` is node:test (TAP or spec), `go` is go test (text or -json), `junit` is JUnit XML. */
export const logRunners = ['pytest', 'unittest', 'node', 'tap', 'tape', 'mocha', 'jest', 'vitest', 'go', 'cargo', 'junit'] as const
export type LogRunner = typeof logRunners[number]

/**
 * `error`: the test did not come to its end for a reason outside of its assertions (a fixture, a hook). Tests that are
 * expected to fail and do, and tests marked as to do, are `skipped`; one that passes against expectation has `passed`,
 * unless the runner calls that a failure.
 */
export type LogStatus = 'passed' | 'failed' | 'skipped' | 'error'

/** A file, package or class as a whole. `error`: it could not be collected, built or set up, so its tests have no result. */
export interface SuiteState { name: string; status: 'passed' | 'failed' | 'error'; reason?: string }

/**
 * Why a reading may be wrong or not whole.
 * - `TRUNCATED`: the runner's last words are missing. `UNTERMINATED_LINE`: the last line has no end and was not read.
 * - `COUNTS_DISAGREE`, `PLAN_MISMATCH`: the log's own sums are not those of the tests seen.
 * - `FORGED_LINE`: a result stands where the runner cannot have printed one; it was left out.
 * - `DUPLICATE_ID`: one id with different results; the worst counts.
 * - `NAMES_MISSING`: the log counts tests that it does not name. `AMBIGUOUS`: the text allows more than one reading.
 * - `SEVERAL_SUMMARIES`: more than one run in the log; the last one was read.
 * - `UNFINISHED_TEST`: a test began and has no result. `NO_TESTS`: nothing was read.
 * - `EXIT_CONTRADICTS`: the exit code is not the one that these results have.
 * - `INVALID_UTF8`, `LINE_TOO_LONG`, `ID_TOO_LONG`, `TOO_MANY_TESTS`, `TOO_DEEP`: a limit, or bytes that are no text.
 * - `BAD_XML`: not well formed, or with a document type; read up to there.
 */
export type ProblemCode =
  | 'TRUNCATED' | 'UNTERMINATED_LINE' | 'COUNTS_DISAGREE' | 'PLAN_MISMATCH' | 'FORGED_LINE' | 'DUPLICATE_ID' | 'NAMES_MISSING' | 'AMBIGUOUS'
  | 'SEVERAL_SUMMARIES' | 'UNFINISHED_TEST' | 'NO_TESTS' | 'EXIT_CONTRADICTS' | 'INVALID_UTF8' | 'LINE_TOO_LONG' | 'ID_TOO_LONG' | 'TOO_MANY_TESTS'
  | 'TOO_DEEP' | 'BAD_XML'

/** `line` counts from 1. */
export interface LogProblem { code: ProblemCode; line?: number; what: string }

export interface LogReading { tests: Map<string, LogStatus>; suites: SuiteState[]; problems: LogProblem[] }

/** One format of one runner. It gets the lines of the log, without their ends and colours, and reports to `Results`. */
export interface Dialect {
  /** Whether the line can matter, by its bytes: a string is made only for those. */
  wants (bytes: Buffer, start: number, end: number): boolean
  line (text: string, number: number): void
  /** The lines that follow are of this test file: a marker of ours said so. */
  file? (name: string): void
  end (): void
}
