// The arena's tests, run: the little of Python that its trees are written in, and what pytest makes of it. A module is lines
// `name = 12`; a test file imports modules and claims of their values. Whatever else stands in a file keeps it from being read,
// as a syntax error would.

import type { Tree, TreeFile } from '../workers/diff/index.ts'
import { sourcePath } from './arena.ts'

export interface TestResult { name: string; /** Why it fails, or null. */ failure: string | null }
/** `error`: why none of the file's tests could be run. */
export interface FileResult { path: string; error: string | null; tests: TestResult[] }

export interface Claim { module: string; name: string; value: number }
export interface TestSource { modules: string[]; tests: { name: string; claims: Claim[] }[] }

/** What files say, by the file: one that a patch leaves alone is the same in every tree. */
const sources = new WeakMap<TreeFile, ReadonlyMap<string, number> | null>()
const testSources = new WeakMap<TreeFile, TestSource | null>()

function ofFile<Value> (known: WeakMap<TreeFile, Value>, file: TreeFile, read: () => Value): Value {
  const found = known.get(file)
  if (found !== undefined) return found
  const made = read()
  known.set(file, made)
  return made
}

const linesOf = (file: TreeFile): string[] => Buffer.from(file.bytes.buffer, file.bytes.byteOffset, file.bytes.length).toString('latin1').split('\n')
const isIdle = (line: string): boolean => line === '' || line.startsWith('#')

/** null: it cannot be loaded. */
export const readSource = (file: TreeFile): ReadonlyMap<string, number> | null => ofFile(sources, file, () => {
  const values = new Map<string, number>()
  for (const line of linesOf(file)) {
    if (isIdle(line)) continue
    const match = /^(\w+) = (\d+)$/.exec(line)
    if (match === null) return null
    values.set(match[1]!, Number(match[2]))
  }
  return values
})

/** null: it cannot be loaded. */
export const readTests = (file: TreeFile): TestSource | null => ofFile(testSources, file, () => {
  const read: TestSource = { modules: [], tests: [] }
  for (const line of linesOf(file)) {
    if (isIdle(line)) continue
    const imported = /^from src import (\w+(?:, \w+)*)$/.exec(line)
    const test = /^def (test_\w+)\(\):$/.exec(line)
    const claim = /^ {4}assert (\w+)\.(\w+) == (\d+)$/.exec(line)
    if (imported !== null) read.modules.push(...imported[1]!.split(', '))
    else if (test !== null) read.tests.push({ name: test[1]!, claims: [] })
    else if (claim !== null && read.tests.length > 0) read.tests.at(-1)!.claims.push({ module: claim[1]!, name: claim[2]!, value: Number(claim[3]) })
    else return null
  }
  return read.tests.every(({ claims }) => claims.length > 0) ? read : null
})

/** Runs these test files on a tree. Where one of them is not there, pytest runs none at all. */
export function runSuite (tree: Tree, testFiles: readonly string[]): FileResult[] | { missing: string } {
  const missing = testFiles.find(path => !tree.has(path))
  return missing === undefined ? testFiles.map(path => runFile(tree, path)) : { missing }
}

function runFile (tree: Tree, path: string): FileResult {
  const source = readTests(tree.get(path)!)
  const failed = (error: string): FileResult => ({ path, error, tests: [] })
  if (source === null) return failed('SyntaxError: invalid syntax')
  const values = new Map<string, ReadonlyMap<string, number>>()
  for (const module of source.modules) {
    const file = tree.get(sourcePath(module))
    const read = file === undefined ? undefined : readSource(file)
    if (read === undefined) return failed(`ImportError: cannot import name '${module}' from 'src'`)
    if (read === null) return failed('SyntaxError: invalid syntax')
    values.set(module, read)
  }
  return { path, error: null, tests: source.tests.map(({ name, claims }) => ({ name, failure: failureOf(claims, values) })) }
}

function failureOf (claims: readonly Claim[], values: ReadonlyMap<string, ReadonlyMap<string, number>>): string | null {
  for (const { module, name, value } of claims) {
    const known = values.get(module)
    if (known === undefined) return `NameError: name '${module}' is not defined`
    const found = known.get(name)
    if (found === undefined) return `AttributeError: module 'src.${module}' has no attribute '${name}'`
    if (found !== value) return `assert ${found} == ${value}`
  }
  return null
}
