// What is known before anything runs: the files of the patches, the static halves of the checks `files` and `scope`, and
// the list of trees to run. Pure.
//
// Every tree is the original with patches on top. Restoring one file of the bug is leaving its part of the patch out:
// parts name different files and git reads each against the original, so they do not depend on each other. That holds
// for added, deleted, renamed and binary files alike.

import { artifactLimits, pathKind, readPatch, readTestFiles, touchedPaths, type PatchFile } from '../artifact/index.ts'
import type { Arena, Bug, BugParams, Check, CheckName } from '../domain.ts'
import { SparError } from '../errors.ts'
import { askingLine } from './script-text.ts'
import type { NamedPatch } from './types.ts'

export interface Plan {
  bug: Bug
  testFiles: string[]
  inject: NamedPatch
  weaken: NamedPatch
  /** The bug's files; a rename is one. */
  units: PatchFile[]
  checks: Check[]
  /** `script` or `parser`, where what was written for it cannot be taken; null otherwise. */
  refused: Check | null
}

/** Of the rules for artifacts that need no run, kept with a verdict: 2 looks at what a script asks for. Verdicts from before have none. */
export const rulesVersion = 2

export const check = (name: CheckName, verdict: Check['verdict'], reason: string, evidence: Record<string, unknown> = {}): Check => ({ name, verdict, reason, evidence })

export function planBug (bug: Bug, arena: Pick<Arena, 'testFiles'>, params: BugParams): Plan {
  const testFiles = attempt(() => readTestFiles(small('test_files.txt', bug.files.testFiles)))
  const inject = attempt(() => readPatch(bug.files.bugInject))
  const weaken = attempt(() => readPatch(bug.files.testWeaken))
  return {
    bug,
    testFiles: testFiles.value ?? [],
    inject: { name: 'bug_inject.diff', bytes: bug.files.bugInject },
    weaken: { name: 'test_weaken.diff', bytes: bug.files.testWeaken },
    units: inject.value ?? [],
    checks: [checkFiles(testFiles, weaken), checkScope(arena, params, testFiles, inject, weaken)],
    refused: checkText('parser', bug.files.parserName, bug.files.testParser) ?? checkText('script', 'test_script.sh', bug.files.testScript) ?? checkAsking(bug.files.testScript, inject.value ?? [])
  }
}

function small (name: string, bytes: Uint8Array): Uint8Array {
  const { fileBytesMax } = artifactLimits
  if (bytes.length > fileBytesMax) throw new SparError('ARTIFACT_TOO_LARGE', `Cannot take ${name}: ${bytes.length} bytes, the limit is ${fileBytesMax}`)
  return bytes
}

function checkText (name: 'parser' | 'script', file: string, bytes: Uint8Array): Check | null {
  const { reason } = attempt(() => small(file, bytes))
  return reason === null ? null : check(name, 'fail', reason)
}

function checkAsking (script: Uint8Array, units: readonly PatchFile[]): Check | null {
  const asking = askingLine(script, units)
  return asking === null ? null : check('script', 'fail', `test_script.sh:${asking.line} ${asking.reason}: it could print another result for each tree`, { line: asking.line })
}

type Read<Value> = { value: Value; reason: null } | { value: null; reason: string }

/** What is wrong with the artifact becomes a reason; anything else is a defect and goes on. */
function attempt<Value> (read: () => Value): Read<Value> {
  try {
    return { value: read(), reason: null }
  } catch (error) {
    if (error instanceof SparError && /^(?:PATCH|ARTIFACT)_/.test(error.code)) return { value: null, reason: `${error.code}: ${error.message}` }
    throw error
  }
}

/** Static half of `files`: the list is readable and covers what the weakening touches. That its paths exist is seen in the tree. */
function checkFiles (testFiles: Read<string[]>, weaken: Read<PatchFile[]>): Check {
  if (testFiles.value === null) return check('files', 'fail', testFiles.reason)
  const evidence = { testFiles: testFiles.value }
  if (testFiles.value.length === 0) return check('files', 'fail', 'test_files.txt names no file', evidence)
  if (weaken.value === null) return check('files', 'skip', 'test_weaken.diff cannot be read: see scope', evidence)
  const listed = new Set(testFiles.value)
  // So a weakening neither adds nor renames files: their new names have no original that the list could restore.
  const missing = weaken.value.flatMap(touchedPaths).filter(path => !listed.has(path))
  if (missing.length > 0) return check('files', 'fail', `test_weaken.diff touches ${quoted(missing)}, not in test_files.txt`, { ...evidence, missing })
  return check('files', 'pass', `${testFiles.value.length} test files, all that the weakening touches are listed`, evidence)
}

function checkScope (arena: Pick<Arena, 'testFiles'>, params: BugParams, testFiles: Read<string[]>, inject: Read<PatchFile[]>, weaken: Read<PatchFile[]>): Check {
  if (inject.value === null) return check('scope', 'fail', `bug_inject.diff: ${inject.reason}`)
  if (weaken.value === null) return check('scope', 'fail', `test_weaken.diff: ${weaken.reason}`)
  const arenaTests = new Set(arena.testFiles.map(file => file.path))
  const kinds = (files: PatchFile[]): { path: string; kind: string }[] => files.flatMap(touchedPaths).map(path => ({ path, kind: pathKind(path, arenaTests) }))
  const evidence = { rules: rulesVersion, bug: kinds(inject.value), weaken: kinds(weaken.value), minFiles: params.minFiles }
  const restored = new Set(testFiles.value ?? [])
  const notCode = evidence.bug.filter(({ path, kind }) => kind !== 'code' || restored.has(path))
  const notTest = evidence.weaken.filter(({ kind }) => kind !== 'test')
  const shown = (list: { path: string; kind: string }[]): string => list.map(({ path, kind }) => `"${path}" (${restored.has(path) ? 'restored as a test file' : kind})`).join(', ')
  const tools = inject.value.filter(({ oldPath, newPath }) => oldPath === null && isTool(newPath!)).map(({ newPath }) => newPath!)
  if (tools.length > 0) return check('scope', 'fail', `bug_inject.diff adds ${quoted(tools)}: a file with the name of a tool that is looked for on the PATH`, evidence)
  if (notCode.length > 0) return check('scope', 'fail', `bug_inject.diff touches what is no code: ${shown(notCode)}`, evidence)
  if (notTest.length > 0) return check('scope', 'fail', `test_weaken.diff touches what is no test: ${notTest.map(({ path, kind }) => `"${path}" (${kind})`).join(', ')}`, evidence)
  if (inject.value.length < params.minFiles) return check('scope', 'fail', `bug_inject.diff changes ${inject.value.length} files, at least ${params.minFiles} are asked for (minFiles)`, evidence)
  return check('scope', 'pass', `${inject.value.length} code files, ${weaken.value.length} test files`, evidence)
}

/** Programs that scripts, runners and solvers start. */
const tools = new Set('bash sh env git node npm npx pnpm yarn python python3 pip pip3 pytest py.test tox go gofmt make awk sed grep cat cp mktemp mocha jest vitest tap tape tsc tsx'.split(' '))
const isTool = (path: string): boolean => tools.has(path.split('/').at(-1)!)

/** bug_inject.diff with these files left as they were. */
export function withoutUnits (units: readonly PatchFile[], restored: ReadonlySet<PatchFile>): NamedPatch {
  return { name: 'bug_inject.diff without the restored files', bytes: Buffer.concat(units.filter(unit => !restored.has(unit)).map(unit => unit.bytes)) }
}

/** How a file of the bug is named in evidence; a rename by both names. */
export const unitName = ({ oldPath, newPath }: PatchFile): string => oldPath !== null && newPath !== null && oldPath !== newPath ? `${oldPath} => ${newPath}` : newPath ?? oldPath!

const quoted = (paths: readonly string[]): string => paths.map(path => JSON.stringify(path)).join(', ')

/** Groups of `size` out of `items`, in order. */
export function * groupsOf<Item> (items: readonly Item[], size: number, from = 0): Generator<Item[]> {
  if (size === 0) yield []
  else for (let index = from; index <= items.length - size; index++) for (const rest of groupsOf(items, size - 1, index + 1)) yield [items[index]!, ...rest]
}
