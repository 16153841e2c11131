// What is true of bugs and attempts, by running the suite on trees: no sandbox, no handler, no fault. A checker holds verdicts and
// grades against it. It says what src/verify would say where nothing goes wrong, worked out another way.

import { pathKind, readPatch, readTestFiles, touchedPaths, type PatchFile } from '../artifact/index.ts'
import type { Arena, Bug, BugParams, CheckName, InverseMode } from '../domain.ts'
import { runners } from '../arena/runners/index.ts'
import { SparError } from '../errors.ts'
import type { Tree } from '../workers/diff/index.ts'
import { treeOf } from './arena.ts'
import { runSuite } from './suite.ts'
import { overlaid, patched } from './trees.ts'

export interface BugTruth {
  valid: boolean
  /** The first check that refuses the bug. */
  failed: CheckName | null
  f2p: string[]
  p2p: string[]
}

type Statuses = ReadonlyMap<string, 'passed' | 'failed'>

const refusedBy = (failed: CheckName): BugTruth => ({ valid: false, failed, f2p: [], p2p: [] })

export function truthOfBug ({ files }: Bug, arena: Arena, params: BugParams, mode: InverseMode): BugTruth {
  const original = treeOf(arena)
  const testFiles = orNull(() => readTestFiles(files.testFiles))
  const inject = orNull(() => readPatch(files.bugInject))
  const weaken = orNull(() => readPatch(files.testWeaken))
  if (testFiles === null || testFiles.length === 0 || testFiles.some(path => !original.has(path)) || weaken?.flatMap(touchedPaths).some(path => !testFiles.includes(path))) return refusedBy('files')
  if (inject === null || weaken === null || !isInScope(arena, params, testFiles, inject, weaken)) return refusedBy('scope')
  if (!Buffer.from(files.testParser).equals(Buffer.from(runners.pytest.parser.source))) return refusedBy('parser')
  const run = (tree: Tree): Statuses | null => statusesOf(tree, scriptFiles(files.testScript))
  const clean = run(original)
  const passing = idsOf(clean, 'passed')
  if (clean === null || passing.length < clean.size || passing.length < params.minPassing) return refusedBy('script')
  const buggy = treeWith(original, files.bugInject)
  const withBug = buggy && run(buggy)
  const f2p = passing.filter(id => withBug?.get(id) !== 'passed')
  if (buggy === null || withBug === null || withBug.size === 0 || f2p.length < params.minFailing) return refusedBy('bug')
  const weakened = files.testWeaken.length === 0 ? null : treeWith(buggy, files.testWeaken)
  const shown = weakened && run(weakened)
  if (!shown || shown.size === 0 || f2p.every(id => shown.get(id) === 'failed')) return refusedBy('weaken')
  if (!eachContributes(original, inject, f2p, run, mode)) return refusedBy('inverse')
  return { valid: true, failed: null, f2p: f2p.sort(), p2p: passing.filter(id => !f2p.includes(id)).sort() }
}

/** Whether an attempt repairs a bug whose verdict names these tests. */
export function truthOfAttempt ({ files }: Bug, arena: Arena, expected: { f2p: readonly string[]; p2p: readonly string[] }, patch: Uint8Array): boolean {
  const original = treeOf(arena)
  const testFiles = readTestFiles(files.testFiles)
  const touched = orNull(() => readPatch(patch).flatMap(touchedPaths)) ?? []
  if (touched.length === 0 || touched.some(path => testFiles.includes(path) || kindOf(arena, path) === 'infrastructure')) return false
  let tree: Tree | null = original
  for (const bytes of [files.bugInject, files.testWeaken, ...(files.predPatch === null ? [] : [files.predPatch]), patch]) tree = tree && treeWith(tree, bytes)
  if (tree === null) return false
  const restored = overlaid(tree, testFiles.map(path => [path, original.get(path)!] as const))
  const statuses = statusesOf(restored, scriptFiles(files.testScript))
  return [...expected.f2p, ...expected.p2p].every(id => statuses?.get(id) === 'passed')
}

/** What the artifact has wrong is null; anything else is a defect. */
function orNull<Value> (read: () => Value): Value | null {
  try {
    return read()
  } catch (error) {
    if (error instanceof SparError && /^(?:PATCH|ARTIFACT)_/.test(error.code)) return null
    throw error
  }
}

const kindOf = (arena: Arena, path: string): string => pathKind(path, new Set(arena.testFiles.map(file => file.path)))

function isInScope (arena: Arena, { minFiles }: BugParams, testFiles: readonly string[], inject: readonly PatchFile[], weaken: readonly PatchFile[]): boolean {
  const isCode = inject.flatMap(touchedPaths).every(path => kindOf(arena, path) === 'code' && !testFiles.includes(path))
  return isCode && weaken.flatMap(touchedPaths).every(path => kindOf(arena, path) === 'test') && inject.length >= minFiles
}

function treeWith (tree: Tree, patch: Uint8Array): Tree | null {
  if (patch.length === 0) return tree
  const result = patched(tree, patch)
  return 'tree' in result ? result.tree : null
}

const scriptFiles = (script: Uint8Array): string[] =>
  [...(/^files=\(\n([^)]*)\)$/m.exec(Buffer.from(script).toString('utf8'))?.[1] ?? '').matchAll(/'(.*)'/g)].map(match => match[1]!)

/** null: no test ran. A test of a file that cannot be loaded has failed, where another file tells that tests ran. */
function statusesOf (tree: Tree, testFiles: readonly string[]): Statuses | null {
  const files = runSuite(tree, testFiles)
  if ('missing' in files) return null
  const statuses = new Map<string, 'passed' | 'failed'>()
  for (const { path, tests } of files) for (const { name, failure } of tests) statuses.set(`${path}::${name}`, failure === null ? 'passed' : 'failed')
  return statuses
}

const idsOf = (statuses: Statuses | null, wanted: 'passed' | 'failed'): string[] => [...statuses ?? []].flatMap(([id, status]) => status === wanted ? [id] : [])

/** Each file, restored, repairs a test; by `group`, those that do not alone do in the smallest groups that do. */
function eachContributes (original: Tree, units: readonly PatchFile[], f2p: readonly string[], run: (tree: Tree) => Statuses | null, mode: InverseMode): boolean {
  const repairs = (restored: readonly PatchFile[]): boolean => {
    if (restored.length === units.length) return true
    const tree = treeWith(original, Buffer.concat(units.filter(unit => !restored.includes(unit)).map(unit => unit.bytes)))
    const statuses = tree && run(tree)
    return f2p.some(id => statuses?.get(id) === 'passed')
  }
  let idle = units.filter(unit => !repairs([unit]))
  if (mode === 'strict') return idle.length === 0
  for (let size = 2; size <= idle.length; size++) {
    for (let group = groupsOf(idle, size).find(repairs); group !== undefined; group = groupsOf(idle, size).find(repairs)) idle = idle.filter(unit => !group!.includes(unit))
  }
  return idle.length === 0
}

const groupsOf = <Item>(items: readonly Item[], size: number): Item[][] =>
  size === 0 ? [[]] : items.flatMap((item, index) => groupsOf(items.slice(index + 1), size - 1).map(rest => [item, ...rest]))
