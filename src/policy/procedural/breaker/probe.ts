// Trials: a change is put into the tree, the tests run, the change is taken out again. Several trials go into one command.
// What a trial leaves behind is its results only; the originals of changed files are kept beside it byte by byte.

import { posix } from 'node:path'
import type { TestMap } from '../../../domain.ts'
import { shellQuote } from '../../../quote.ts'
import type { Edit } from '../../../workers/mutate/types.ts'
import { coversAny } from '../coverage.ts'
import type { Play } from '../session.ts'
import { idsWith, printCommand, readRuns, runCommand, runsPerCommand, type TestRun } from '../test-run.ts'
import type { ToolTree } from '../tree.ts'
import { patchOf } from './patch.ts'
import { fileOf, type Suite } from './suite.ts'

/** A way to break one file. */
export interface Change {
  path: string
  edits: Edit[]
  /** For people: operator and unit, or the commit it comes from. */
  what: string
  origin: 'removal' | 'history' | 'direct'
}

export interface Effect {
  run: TestRun
  /** Tests that pass on the original and fail now. */
  failing: string[]
  passing: string[]
  /** The tests still run: nothing hung, no result vanished, something passes. */
  alive: boolean
}

export interface Probe { change: Change; effect: Effect }

/** A patch, or a file set to restore: what a trial does to the tree. */
export interface Trial {
  patch: string
  paths: readonly string[]
  /** The test files that run; null: the whole suite. */
  testFiles: readonly string[] | null
  /** Read the whole log back, not just its last lines. */
  wholeLog?: true
}

/** Share of the tests that may be gone without a result. */
const vanishedMax = 0.25

export async function * runTrials (tree: ToolTree, suite: Suite, why: string, trials: readonly Trial[]): Play<Effect[]> {
  const effects: Effect[] = []
  const many = runsPerCommand(suite.runner.ecosystem)
  for (let at = 0; at < trials.length; at += many) {
    const part = trials.slice(at, at + many)
    const folders = part.map((_trial, index) => `${tree.task.scratch}/runs/trial-${index}`)
    // A command that was killed may have left its trial in the tree.
    const command = [`[ ! -d ${shellQuote(originals(tree))} ] || cp -rp ${shellQuote(originals(tree))}/. .`,
      ...part.map((trial, index) => trialCommand(tree, suite, trial, folders[index]!))].join('\n')
    const { output } = yield * tree.output(why, command)
    effects.push(...readRuns(output, folders).map((run, index) => effectOf(suite, run, part[index]!.testFiles)))
  }
  return effects
}

function trialCommand (tree: ToolTree, suite: Suite, trial: Trial, into: string): string {
  return [
    `rm -rf ${shellQuote(into)}`,
    applyCommand(tree, trial.patch, trial.paths),
    `[ $? = 0 ] && { ${narrowed(suite, trial.testFiles, into)}${suiteRun(suite, into, trial.testFiles === null ? suite.paths.script : `${into}.sh`)}; } 1>&2`,
    restoreCommand(tree, trial.paths),
    printCommand(into, trial.wholeLog ? {} : { logBytes: 1500 })
  ].join('\n')
}

/** Bash that runs the suite, or a script in its place. */
export const suiteRun = (suite: Suite, into: string, script = suite.paths.script): string =>
  runCommand({ script, parser: suite.paths.parser, into, ecosystem: suite.runner.ecosystem })

/** The suite's own script with fewer files in its list. */
function narrowed (suite: Suite, testFiles: readonly string[] | null, into: string): string {
  if (testFiles === null) return ''
  return `{ echo ${shellQuote(`files=(${testFiles.map(shellQuote).join(' ')})`)}; sed '/^files=($/,/^)$/d' ${shellQuote(suite.paths.script)}; } > ${shellQuote(`${into}.sh`)}; `
}

const originals = (tree: ToolTree): string => `${tree.task.scratch}/original`

/** Keeps the originals of `paths` and applies the patch; the status says whether it applied. */
export function applyCommand (tree: ToolTree, patch: string, paths: readonly string[]): string {
  return `mkdir -p ${shellQuote(originals(tree))} && ${keepCommand(tree, paths)} && git apply --whitespace=nowarn - <<'END_OF_PATCH'\n${patch}END_OF_PATCH`
}

function keepCommand (tree: ToolTree, paths: readonly string[]): string {
  return paths.map(path => {
    const kept = `${originals(tree)}/${path}`
    return `{ [ -e ${shellQuote(kept)} ] || { mkdir -p ${shellQuote(posix.dirname(kept))} && cp -p ${shellQuote(path)} ${shellQuote(kept)}; }; }`
  }).join(' && ')
}

export function restoreCommand (tree: ToolTree, paths: readonly string[]): string {
  return paths.map(path => `cp -p ${shellQuote(`${originals(tree)}/${path}`)} ${shellQuote(path)}`).join('; ')
}

export function effectOf (suite: Suite, run: TestRun, testFiles: readonly string[] | null): Effect {
  const results = run.results ?? {}
  const clean = testFiles === null ? suite.clean : Object.fromEntries(Object.entries(suite.clean).filter(([id]) => fileOf(id, testFiles) !== null))
  const failing = idsWith(results, 'failed').filter(id => clean[id] === 'passed')
  const passing = Object.keys(suite.clean).filter(id => clean[id] === undefined || results[id] === 'passed')
  return { run, failing, passing, alive: !run.stuck && run.results !== null && passing.length > 0 && fewVanished(clean, results, failing) }
}

/** A test that throws takes its subtests, or what follows in its file, with it; more than that is a crash. */
function fewVanished (clean: TestMap, results: TestMap, failing: readonly string[]): boolean {
  const vanished = Object.keys(clean).filter(id => results[id] === undefined)
  const files = new Set(failing.map(id => id.split('::')[0]))
  return vanished.length <= Object.keys(clean).length * vanishedMax && vanished.every(id => files.has(id.split('::')[0]))
}

/** One patch over several changes; changes of the same file are merged. */
export function trialOf (changes: readonly Change[], texts: ReadonlyMap<string, string>, testFiles: readonly string[] | null = null): Trial {
  const paths = [...new Set(changes.map(({ path }) => path))].sort()
  const patch = paths.map(path => patchOf(path, texts.get(path)!, changes.filter(change => change.path === path).flatMap(({ edits }) => edits))).join('')
  return { patch, paths, testFiles }
}

/** The test files that run a changed line; null when that is all of them, or cannot be told. */
export function concerned (suite: Suite, change: Change, text: string): string[] | null {
  const lineAt = (offset: number): number => text.slice(0, offset).split('\n').length
  const lines = change.edits.map(({ start, end }) => [Math.max(1, lineAt(start) - 1), lineAt(end)] as const)
  return narrow(suite, suite.testFiles.filter(path => lines.some(([first, last]) => coversAny(suite.coverage.get(path)?.get(change.path), first, last))))
}

/** The test files that hold these tests; null when that is all of them, or cannot be told. */
export function filesWith (suite: Suite, ids: readonly string[]): string[] | null {
  const files = new Set(ids.map(id => fileOf(id, suite.testFiles)))
  return narrow(suite, suite.testFiles.filter(path => files.has(path)))
}

function narrow (suite: Suite, files: string[]): string[] | null {
  const known = Object.keys(suite.clean).every(id => fileOf(id, suite.testFiles) !== null)
  return !known || files.length === 0 || files.length === suite.testFiles.length ? null : files
}
