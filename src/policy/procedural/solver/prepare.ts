// The solver's first turns: the oracle patch goes into the tree, the runner is found, scripts are written into scratch,
// and the restored tests run once. What does not fit: a patch that does not apply, a repository whose runner is not
// known, restored tests that pass already. Each ends the attempt with a sentence that says so.

import { customCommand } from '../../../arena/runners/custom.ts'
import { customRunner, findRunner, isTestPath, runners } from '../../../arena/runners/index.ts'
import { scriptHead } from '../../../arena/runners/script.ts'
import type { FoundRunner, Runner, TreeReader } from '../../../arena/runners/types.ts'
import type { RolloutTask, TestMap } from '../../../domain.ts'
import { SparError } from '../../../errors.ts'
import { shellQuote } from '../../../quote.ts'
import { act, type Play } from '../session.ts'
import { isManifest, isTestSource } from '../telling-files.ts'
import { parserCommand } from '../test-run.ts'
import type { ToolTree } from '../tree.ts'
import { installForking } from './forking.ts'
import type { SolverLimits } from './limits.ts'
import { readOracle, type OracleFile } from './oracle.ts'
import { readRun, runCommand, trialLibrary, type Deadlines, type ScriptRun } from './trials.ts'

export type SolverTask = Extract<RolloutTask, { role: 'solver' }>

export interface Bench {
  tree: ToolTree
  runner: Runner
  oracle: OracleFile[]
  /** Code of the runner's ecosystem, no tests. */
  codeFiles: string[]
  /** Test files that the oracle patch puts back, and their results and log before any change. */
  testFiles: string[]
  results: TestMap
  log: string
  /** The other test files. */
  otherTests: string[]
  /** How long a trial may take. */
  deadlines: Deadlines
}

export const scripts = { all: 'all-tests.sh', probe: 'probe-tests.sh', broader: 'broader-tests.sh', library: 'trials.sh', patch: 'oracle.patch' }

export const inScratch = (tree: ToolTree, name: string): string => `${tree.task.scratch}/${name}`

/** The bench, or why there is nothing to work on. */
export async function * prepare (tree: ToolTree, task: SolverTask, limits: SolverLimits): Play<Bench | string> {
  const oracle = readOracle(task.oraclePatch)
  yield * act('I keep the test changes as a patch.', { tool: 'create', path: inScratch(tree, scripts.patch), content: task.oraclePatch })
  const applied = yield * tree.run('I apply the test changes to my tree.',
    `git ls-files -o --exclude-standard > ${shellQuote(inScratch(tree, 'untracked'))}; ${applyOracle(tree)}`)
  if (applied.exitCode !== 0) return 'The test changes do not apply to the tree.'
  const files = yield * tree.list()
  const touched = oracle.filter(file => !file.deleted).map(file => file.path)
  yield * tree.read([...files.filter(isManifest), ...new Set([...touched, ...files].filter(isTestSource).slice(0, limits.testSourcesMax))], 'I read the tests and the manifests, to see how the tests run.')
  // Only now: a test file that was emptied does not look like one before its tests are back.
  const found = yield * tree.withReader(reader => findRunner(withFiles(reader, touched)))

  const known = found?.testFiles ?? files.filter(isTestPath)
  const restored = touched.filter(path => known.includes(path))
  const testFiles = (restored.length > 0 ? restored : known).slice(0, limits.testFilesMax)
  if (testFiles.length === 0) return 'I find no test file to run.'
  const runner = yield * chooseRunner(tree, task.testCommand, found, testFiles)
  if (typeof runner === 'string') return runner
  yield * tree.run('I write scripts that run the restored tests.', writeScripts(tree, runner, testFiles, firstDeadlines))
  const { results, log, cpuSeconds } = yield * runScript(tree, scripts.all, 'I run the restored tests.')
  if (failingOf(results, testFiles).length === 0) return 'The restored tests pass already: I see nothing to repair.'
  const deadlines = trialDeadlines(limits, cpuSeconds)
  yield * tree.run('I bound how long a trial may take.', writeScripts(tree, runner, testFiles, deadlines))
  const codeFiles = files.filter(path => isCode(path, runner) && !isTestPath(path) && !known.includes(path))
  return { tree, runner, oracle, codeFiles, testFiles, results, log, deadlines, otherTests: known.filter(path => !testFiles.includes(path)) }
}

async function * chooseRunner (tree: ToolTree, testCommand: string | null, found: FoundRunner | null, testFiles: readonly string[]): Play<Runner | string> {
  if (testCommand === null) return found === null || found.runner === 'custom' ? 'I do not know how the tests of this repository run.' : runners[found.runner]
  const { output } = yield * tree.output('I run the given test command, to see what its results look like.',
    `timeout ${firstDeadlines.wallSeconds} bash -c ${shellQuote(scriptHead('the given command', testFiles) + customCommand(testCommand))} 2>&1 | tail -c 200000`)
  try {
    return customRunner(testCommand, output.toString('utf8'), found?.ecosystem ?? (testFiles.some(path => path.endsWith('.py')) ? 'python' : 'node'))
  } catch (error) {
    if (error instanceof SparError && error.code === 'ARENA_UNREADABLE_LOG') return error.message
    throw error
  }
}

const firstDeadlines: Deadlines = { cpuSeconds: 20, wallSeconds: 40 }

/**
 * Processor time decides, so that a busy machine changes nothing; the wall clock only cuts what sleeps. In powers of two,
 * since no two runs take the very same time and a seed has to replay an attempt.
 */
function trialDeadlines (limits: SolverLimits, seconds: number): Deadlines {
  const cpuSeconds = Math.min(firstDeadlines.cpuSeconds, 2 ** Math.ceil(Math.log2(limits.trialCpuSecondsMin + limits.trialSlack * seconds)))
  return { cpuSeconds, wallSeconds: Math.min(firstDeadlines.wallSeconds, limits.trialWallSecondsMin + 3 * cpuSeconds) }
}

/** Files that only the oracle patch brings are part of the tree that the runner is looked for in. */
function withFiles (reader: TreeReader, more: readonly string[]): TreeReader {
  return { list: async () => [...new Set([...await reader.list(), ...more])].sort(), read: path => reader.read(path) }
}

export const applyOracle = (tree: ToolTree): string => `git apply --whitespace=nowarn ${shellQuote(inScratch(tree, scripts.patch))}`

export const unapplyOracle = (tree: ToolTree): string => `git apply -R --whitespace=nowarn ${shellQuote(inScratch(tree, scripts.patch))}`

/** Takes the oracle patch back and removes what tests left behind, so that the diff holds code files only. */
export function restoreCommand (bench: Bench): string {
  const { tree, oracle } = bench
  const paths = oracle.map(file => shellQuote(file.path)).join(' ')
  return `${unapplyOracle(tree)} || ` +
    `for f in ${paths}; do git checkout -q HEAD -- "$f" 2>/dev/null || rm -f -- "$f"; done; ` +
    `git ls-files -o --exclude-standard | grep -vxFf ${shellQuote(inScratch(tree, 'untracked'))} | while IFS= read -r f; do rm -f -- "$f"; done; git status --short | head -n 20`
}

function writeScripts (tree: ToolTree, runner: Runner, testFiles: readonly string[], deadlines: Deadlines): string {
  const parser = inScratch(tree, runner.parser.name)
  return [
    installForking(tree.task.scratch),
    save(tree, runner.parser.name, runner.parser.source),
    save(tree, scripts.library, trialLibrary({ scratch: tree.task.scratch, parser: parserCommand(parser), ...deadlines })),
    save(tree, scripts.all, runner.script(testFiles))
  ].join(' && ')
}

/** Bash that writes a file of the scratch folder. */
export const save = (tree: ToolTree, name: string, text: string): string => `printf %s ${shellQuote(text)} > ${shellQuote(inScratch(tree, name))}`

export async function * runScript (tree: ToolTree, name: string, text: string, logBytes = 24_000): Play<ScriptRun> {
  return readRun((yield * tree.run(text, runCommand(inScratch(tree, scripts.library), inScratch(tree, name), logBytes))).text)
}

/** Files that hold failing tests. Ids begin with their file; a file without any result failed as a whole. */
export function failingOf (results: TestMap, testFiles: readonly string[]): string[] {
  const entries = Object.entries(results)
  const named = entries.some(([id]) => testFiles.some(path => id.startsWith(`${path}::`)))
  if (!named) return entries.length > 0 && entries.every(([, status]) => status === 'passed') ? [] : [...testFiles]
  return testFiles.filter(path => {
    const own = entries.filter(([id]) => id.startsWith(`${path}::`))
    return own.length === 0 || own.some(([, status]) => status === 'failed')
  })
}

/** Results of these files; all of them where ids do not name files. */
export function resultsOf (results: TestMap, files: readonly string[]): TestMap {
  const entries = Object.entries(results)
  const own = entries.filter(([id]) => files.some(path => id.startsWith(`${path}::`)))
  return own.length > 0 ? Object.fromEntries(own) : entries.some(([id]) => id.includes('::')) ? {} : results
}

const extensions: Record<Runner['ecosystem'], RegExp> = { python: /\.py$/, node: /\.[cm]?[jt]sx?$/, go: /\.go$/ }

const isCode = (path: string, runner: Runner): boolean =>
  extensions[runner.ecosystem].test(path) && !/\.d\.[cm]?ts$|\.min\.js$|(?:^|\/)node_modules\//.test(path)
