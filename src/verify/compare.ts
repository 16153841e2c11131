// What maps of test results say when they are held against each other. Pure.
//
// A test that passed on the original and has no result later may have failed, or may not be there any more. The map
// does not say which; the exit code and its neighbours do. Where the exit code is 0, or the same as on the original,
// nothing went wrong and the test is gone. Otherwise it counts as failed where
//   V1. none of the tests of its file has a result: the file could not be collected. The file is the longest path of
//       test_files.txt that the id holds, or the only one listed; ids that name no file are judged by V2 alone.
//   V2. the runner crashed: it was ended by a signal (exit code above 128), or nothing else explains the exit code, neither
//       a test that failed nor a file that could not be collected.
// In every other case it is gone: removed, skipped or renamed, but not broken.
// A run without any test of the original is not judged here: it is a broken build (see `isBroken`).

import type { TestMap } from '../domain.ts'
import type { TreeRun } from './types.ts'

export type Status = 'passed' | 'failed' | 'gone'

/** `exitCode`: of a run of the original tree in which no test failed. */
export interface Original { exitCode: number | null; testFiles: readonly string[] }

/** What became of these tests in a run. */
export function statusOf (ids: readonly string[], run: Pick<TreeRun, 'results' | 'exitCode'>, original: Original): Map<string, Status> {
  const results = run.results ?? {}
  const lost = run.exitCode === 0 || run.exitCode === original.exitCode ? new Set() : lostTests(ids, results, run.exitCode, original.testFiles)
  return new Map(ids.map(id => [id, get(results, id) ?? (lost.has(id) ? 'failed' : 'gone')]))
}

function lostTests (ids: readonly string[], results: TestMap, exitCode: number | null, testFiles: readonly string[]): Set<string> {
  const vanished = ids.filter(id => get(results, id) === undefined)
  if (vanished.length === 0) return new Set()
  const collected = new Set(Object.keys(results).map(id => fileOf(id, testFiles)))
  const uncollected = vanished.filter(id => {
    const file = fileOf(id, testFiles)
    return file !== null && !collected.has(file)
  })
  const explained = uncollected.length > 0 || Object.values(results).includes('failed')
  const crashed = exitCode === null || exitCode > 128 || !explained
  return new Set(crashed ? vanished : uncollected)
}

function fileOf (id: string, testFiles: readonly string[]): string | null {
  const named = testFiles.filter(file => id.includes(file)).sort((a, b) => b.length - a.length)
  return named[0] ?? (testFiles.length === 1 ? testFiles[0]! : null)
}

const get = (results: TestMap, id: string): 'passed' | 'failed' | undefined => Object.hasOwn(results, id) ? results[id] : undefined

/** None of the tests of the original has a result. */
export const isBroken = (ids: readonly string[], run: Pick<TreeRun, 'results'>): boolean => ids.every(id => get(run.results ?? {}, id) === undefined)

/**
 * Whose fault a log without results is: where more than half of the original's tests are named in it, they ran and the
 * parser cannot read what it should; otherwise nothing ran.
 */
export function namesTests (ids: readonly string[], log: string): boolean {
  const named = ids.filter(id => log.includes(id.split(/::| > /).at(-1)!.trim())).length
  return named * 2 > ids.length
}

export interface CleanSets { passing: string[]; failing: string[]; flaky: string[] }

/** Over all clean runs: a test without a result in some of them is flaky too. */
export function cleanSets (runs: readonly TestMap[]): CleanSets {
  const ids = [...new Set(runs.flatMap(map => Object.keys(map)))].sort()
  const sets: CleanSets = { passing: [], failing: [], flaky: [] }
  for (const id of ids) {
    const [first, ...rest] = runs.map(map => get(map, id))
    const stable = rest.every(status => status === first)
    sets[!stable || first === undefined ? 'flaky' : first === 'passed' ? 'passing' : 'failing'].push(id)
  }
  return sets
}

/** Tests whose status is not the same in all of these runs. */
export function unstable (ids: readonly string[], statuses: readonly Map<string, Status>[]): string[] {
  return ids.filter(id => statuses.some(status => status.get(id) !== statuses[0]!.get(id)))
}

/**
 * Expected tests without a result, and those that did not pass. Two channels: a test has passed where neither the parser nor
 * the runner's own words say otherwise.
 */
export function unmet (ids: readonly string[], { results, opinion }: Pick<TreeRun, 'results' | 'opinion'>): { missing: string[]; failing: string[] } {
  const contradicted = new Set(opinion?.contradicted)
  const statuses = ids.map(id => ({ id, status: get(results ?? {}, id) }))
  return {
    missing: statuses.filter(({ status }) => status === undefined).map(({ id }) => id),
    failing: statuses.filter(({ id, status }) => status !== undefined && (status !== 'passed' || contradicted.has(id))).map(({ id }) => id)
  }
}

export const withStatus = (statuses: Map<string, Status>, ...wanted: Status[]): string[] =>
  [...statuses].filter(([, status]) => wanted.includes(status)).map(([id]) => id)

export const without = (ids: readonly string[], left: ReadonlySet<string>): string[] => ids.filter(id => !left.has(id))
