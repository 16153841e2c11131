// The breaker's tests: which runner the repository has, which of its test files are played on, the script and the parser.
// Files are tried in random order, each alone and with tracing, until they hold enough passing tests and cover enough
// code; then all of them run together, twice, and what fails or differs is dropped.

import { customRunner, findRunner, isTestPath, runners } from '../../../arena/runners/index.ts'
import { customCommand } from '../../../arena/runners/custom.ts'
import { scriptHead } from '../../../arena/runners/script.ts'
import type { Runner } from '../../../arena/runners/types.ts'
import { pathKind } from '../../../artifact/paths.ts'
import type { BugParams, Strategy, TestMap } from '../../../domain.ts'
import { SparError } from '../../../errors.ts'
import type { Random } from '../../../ports.ts'
import { shellQuote } from '../../../quote.ts'
import { languageOf } from '../../../workers/mutate/source.ts'
import { measureCoverage, type Coverage, type CoverageRun } from '../coverage.ts'
import { act, type Play } from '../session.ts'
import { isManifest, isTestSource } from '../telling-files.ts'
import { idsWith, printCommand, readRuns, runCommand, runsPerCommand, type TestRun } from '../test-run.ts'
import type { ToolTree } from '../tree.ts'

export interface Suite {
  runner: Runner
  testFiles: string[]
  coverage: Coverage
  /** Code files that the suite covers. */
  codeFiles: string[]
  /** Results on the original tree. */
  clean: TestMap
  /** Absolute paths in the scratch folder. */
  paths: { script: string; files: string; parser: string }
}

const limits = {
  /** Test files that are read to find the runner. */
  looked: 60,
  /** Test files that are tried one by one. */
  tried: 24,
  /** Of a history suite's files, those that changed together with code. */
  withHistory: 4,
  /** Test files in a suite. */
  files: 10,
  /** Runs of the whole suite until it passes twice. */
  rounds: 3
}

/** A string says why there is no suite. */
export async function * chooseSuite (tree: ToolTree, params: BugParams, strategy: Strategy, random: Random): Play<Suite | string> {
  const found = yield * findTests(tree, random)
  if (typeof found === 'string') return found
  const { runner, testFiles } = found
  const wanted = { passing: params.minPassing + random.int(Math.ceil(params.minPassing / 2) + 1), files: strategy === 'history' ? 4 + random.int(3) : 1 + random.int(3) }
  const runs = new Map<string, CoverageRun>()
  const shuffled = random.shuffle(testFiles)
  const recent = strategy === 'history' ? yield * testsWithHistory(tree, shuffled) : []
  const order = [...recent, ...shuffled.filter(path => !recent.includes(path))].slice(0, limits.tried)
  const many = Math.min(3, runsPerCommand(runner.ecosystem))
  if (runner.ecosystem === 'go') yield * tree.run('I compile the tests once, so that later runs are quick.', "timeout 110 go test -count=1 -run '^$' -coverpkg=./... ./... > /dev/null 2>&1; true")
  for (let at = 0; at < order.length && runs.size < limits.files && !isEnough(runs, params, wanted); at += many) {
    for (const [path, run] of yield * measureCoverage(tree, runner, order.slice(at, at + many))) {
      if (isUsable(run) && runs.size < limits.files) runs.set(path, run)
    }
  }
  if (passing(runs) < params.minPassing) return `Of the test files that I tried only ${passing(runs)} tests pass; ${params.minPassing} are asked for.`
  if (coveredCode(runs).length < params.minFiles) return `The tests cover ${coveredCode(runs).length} code files; ${params.minFiles} are to be changed.`
  return yield * settleSuite(tree, runner, runs, params)
}

async function * findTests (tree: ToolTree, random: Random): Play<{ runner: Runner; testFiles: string[] } | string> {
  const all = yield * tree.list()
  const tests = random.shuffle(all.filter(isTestSource)).slice(0, limits.looked)
  const shown = all.filter(path => !isTestSource(path) || tests.includes(path))
  yield * tree.read([...tests, ...shown.filter(isManifest)], 'I read the test files and the manifests, to see how the tests run.')
  const found = yield * tree.withReader(reader => findRunner(reader), shown)
  const { testCommand } = tree.task
  if (testCommand === null) {
    if (found === null || found.runner === 'custom') return 'I find no test runner that I know in this repository.'
    return { runner: runners[found.runner], testFiles: found.testFiles }
  }
  const files = found?.testFiles ?? tests
  const sample = random.shuffle(files).slice(0, 3)
  const { output } = yield * tree.output('I run the given test command, to see what its results look like.',
    `timeout 60 bash -c ${shellQuote(scriptHead('the given command', sample) + customCommand(testCommand))} 2>&1 | tail -c 200000`)
  try {
    const ecosystem = found?.ecosystem ?? (files.some(path => path.endsWith('.py')) ? 'python' : 'node')
    return { runner: customRunner(testCommand, output.toString('utf8'), ecosystem), testFiles: files }
  } catch (error) {
    if (error instanceof SparError && error.code === 'ARENA_UNREADABLE_LOG') return error.message
    throw error
  }
}

/** Test files that changed together with code: they know what past changes were for. Up to half of a suite, in random order. */
async function * testsWithHistory (tree: ToolTree, testFiles: readonly string[]): Play<string[]> {
  const { output } = yield * tree.output('I look at which tests changed together with code, because those notice when a change is taken back.',
    `git log --no-merges --no-renames --format='commit %H' --name-only -n 200 | head -n 20000`)
  const commits = output.toString('utf8').split(/^commit .*$/m).map(part => part.split('\n').filter(line => line !== ''))
  // A commit that adds everything, or reformats it, says nothing.
  const telling = commits.filter(paths => paths.some(isCodeFile) && paths.filter(isTestPath).length <= 12).flat()
  return testFiles.filter(path => telling.includes(path)).slice(0, limits.withHistory)
}

const isUsable = (run: CoverageRun): boolean =>
  !run.stuck && idsWith(run.results, 'passed').length > 0 && idsWith(run.results, 'failed').length === 0 && codeOf(run).length > 0

const passing = (runs: Map<string, CoverageRun>): number =>
  new Set([...runs.values()].flatMap(run => idsWith(run.results, 'passed'))).size

const codeOf = (run: CoverageRun): string[] => [...run.lines.keys()].filter(isCodeFile)

const coveredCode = (runs: Map<string, CoverageRun>): string[] => [...new Set([...runs.values()].flatMap(codeOf))].sort()

const isEnough = (runs: Map<string, CoverageRun>, params: BugParams, wanted: { passing: number; files: number }): boolean =>
  runs.size >= wanted.files && passing(runs) >= wanted.passing && coveredCode(runs).length > params.minFiles

/** Code that a bug may be in: written by hand, in a language that is parsed, no test and nothing that decides how tests run. */
export function isCodeFile (path: string): boolean {
  return languageOf(path) !== null && pathKind(path) === 'code' &&
    !/(^|\/)(dist|build|out|vendor|vendored|_vendor|third_party|node_modules|bench|benchmarks?|examples?|docs?|scripts?)\//.test(path) &&
    !/[.-]min\.|\.(config|bundle|generated|gen|pb)\.|_pb2|\.pb\.go$|(^|\/)(_?version|versioneer|setup|__main__)\.py$/.test(path)
}

/** Writes the script and its company, and runs it twice; test files with trouble are left out and it starts over. */
async function * settleSuite (tree: ToolTree, runner: Runner, runs: Map<string, CoverageRun>, params: BugParams): Play<Suite | string> {
  const { scratch } = tree.task
  const paths = { script: `${scratch}/test_script.sh`, files: `${scratch}/test_files.txt`, parser: `${scratch}/${runner.parser.name}` }
  yield * act('I write the parser that turns the log of the tests into JSON.', { tool: 'create', path: paths.parser, content: runner.parser.source })
  let testFiles = [...runs.keys()].sort()
  for (let round = 0; round < limits.rounds && testFiles.length > 0; round++) {
    yield * act(`I write the script that runs ${testFiles.length} test files with ${runner.name}.`, { tool: 'create', path: paths.script, content: runner.script(testFiles) })
    yield * act('I list the test files.', { tool: 'create', path: paths.files, content: testFiles.map(path => `${path}\n`).join('') })
    const { trouble, clean } = yield * runClean(tree, runner, paths, testFiles, runs)
    const left = testFiles.filter(path => !trouble.includes(path))
    if (clean !== null && idsWith(clean, 'passed').length >= params.minPassing && left.length === testFiles.length) {
      const coverage = new Map(testFiles.map(path => [path, runs.get(path)!.lines]))
      const codeFiles = [...new Set(testFiles.flatMap(path => codeOf(runs.get(path)!)))].sort()
      return { runner, testFiles, coverage, codeFiles, clean, paths }
    }
    if (left.length === testFiles.length) break
    testFiles = left
  }
  return 'The chosen tests do not pass twice in a row when they run together.'
}

/** The traced runs, each file alone, are the first opinion; where the suite as a whole says otherwise it runs once more. */
async function * runClean (tree: ToolTree, { ecosystem }: Runner, paths: Suite['paths'], testFiles: readonly string[], runs: Map<string, CoverageRun>): Play<{ trouble: string[]; clean: TestMap | null }> {
  const into = `${tree.task.scratch}/runs/clean`
  const play = async function * (why: string): Play<TestRun> {
    const { output } = yield * tree.output(why, `${runCommand({ ...paths, into, ecosystem })}\n${printCommand(into, { logBytes: 2000 })}`)
    return readRuns(output, [into])[0]!
  }
  const alone: TestMap = Object.assign({}, ...testFiles.map(path => runs.get(path)!.results))
  const first = yield * play('I run the script on the untouched code: every test must pass, as it did alone.')
  const second = first.results !== null && sameMap(first.results, alone) ? alone : (yield * play('I run the script again, because the files together gave other results than each alone.')).results
  if (first.results === null || second === null || first.stuck) return { trouble: testFiles.slice(1), clean: null }
  const ids = new Set([...Object.keys(first.results), ...Object.keys(second)])
  const bad = [...ids].filter(id => first.results![id] !== 'passed' || second[id] !== 'passed')
  return { trouble: testFiles.filter(path => bad.some(id => fileOf(id, testFiles) === path)), clean: bad.length === 0 ? first.results : null }
}

const sameMap = (one: TestMap, other: TestMap): boolean =>
  Object.keys(one).length === Object.keys(other).length && Object.entries(one).every(([id, status]) => other[id] === status)

/** The test file that an id names, or null: our runners' ids begin with the file. */
export function fileOf (id: string, testFiles: readonly string[]): string | null {
  return testFiles.find(path => id.startsWith(`${path}::`)) ?? null
}
