/**
 * Reads the logs of test runners: `readTestLog(log, { runner })` for a log in memory, `createLogReader` for one that comes
 * in pieces. Pure functions over bytes: no files, no processes, no threads. The table of runners, how ids are built, and
 * what cannot be told from text stand in `docs/testlog.md`.
 *
 * ```ts
 * import { readTestLog } from 'spar/testlog'
 *
 * const { tests, suites, problems } = readTestLog(log, { runner: 'pytest', exitCode: 1 })
 * tests.get('tests/test_a.py::test_x[1]') // 'passed', 'failed', 'skipped', 'error', or undefined: no result
 * ```
 */

export { logLimits, type LogLimits } from './limits.ts'
export { createLogReader, readTestLog, type LogForm, type LogOptions, type LogReader } from './reader.ts'
export { logRunners, type LogProblem, type LogReading, type LogRunner, type LogStatus, type ProblemCode, type SuiteState } from './types.ts'
export { castingDoubt, doubtful, toTestMap } from './verdict.ts'
