// The fuzzer of the diff engine. Method: cases drawn from a seed go to real `git apply` (forward or -R, outside of any
// repository, many in one shell) and to applyPatch; both must agree on whether the patch applies, and on every byte and
// mode of the tree afterwards. Where nothing was mangled, what can be reversed must be undone by it.

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { SparError } from '../../src/errors.ts'
import { createRandom, deriveSeed } from '../../src/random.ts'
import { applyPatch } from '../../src/workers/diff/apply.ts'
import { binaryOfPath, textOfPath } from '../../src/workers/diff/bytes.ts'
import { file } from '../../src/workers/diff/patch-index.ts'
import { formatPatch, joinPatches, splitPatch } from '../../src/workers/diff/split.ts'
import { parsePatch } from '../../src/workers/diff/parse.ts'
import { reversePatch } from '../../src/workers/diff/reverse.ts'
import type { Tree, TreeFile } from '../../src/workers/diff/tree.ts'
import { diffCase, type DiffCase } from './diff-cases.ts'

/** Case `number` of a seed. */
export const drawCase = (seed: number, number: number): DiffCase => diffCase(createRandom(deriveSeed(seed, `diff ${number}`)))

export interface FuzzOptions { seed: number; cases: number; from?: number; differencesMax?: number; onProgress?: (done: number) => void }
export interface Difference { number: number; why: string; sample: DiffCase }

const batchSize = 64

/** Runs the cases; returns what was found, none if all is well, and how many cases git accepted. */
export function fuzzDiff ({ seed, cases, from = 0, differencesMax = 1, onProgress }: FuzzOptions): { differences: Difference[]; accepted: number } {
  const differences: Difference[] = []
  let accepted = 0
  for (let first = from; first < from + cases && differences.length < differencesMax; first += batchSize) {
    const numbers = Array.from({ length: Math.min(batchSize, from + cases - first) }, (_, at) => first + at)
    const samples = numbers.map(number => drawCase(seed, number))
    const expected = runGit(samples)
    samples.forEach((sample, at) => {
      if (expected[at]) accepted++
      const why = compare(sample, expected[at]!)
      if (why !== null) differences.push({ number: numbers[at]!, why, sample })
    })
    onProgress?.(first - from + numbers.length)
  }
  return { differences, accepted }
}

/** What the tree is after `git apply`, or null where it refuses, for each case. */
export function runGit (samples: readonly DiffCase[]): (Map<string, TreeFile> | null)[] {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'fuzz-diff-'))
  try {
    samples.forEach((sample, at) => {
      mkdirSync(join(folder, `${at}`, 'tree'), { recursive: true })
      writeTree(join(folder, `${at}`, 'tree'), sample.tree)
      writeFileSync(join(folder, `${at}`, 'patch'), sample.patch)
    })
    const script = samples.map(({ reverse }, at) => `cd ${folder}/${at}/tree; git -c core.autocrlf=false apply -p1 --whitespace=nowarn ${reverse ? '-R ' : ''}../patch 2>../why; echo $?`).join('\n')
    const env = { PATH: process.env.PATH, LC_ALL: 'C', GIT_DIR: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', HOME: folder }
    const { stdout } = spawnSync('sh', ['-s'], { input: script, env, encoding: 'utf8' })
    const codes = stdout.trim().split('\n')
    return samples.map((_, at) => codes[at] === '0' ? readTree(join(folder, `${at}`, 'tree')) : null)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const onDisk = (folder: string, path: string): Buffer => Buffer.from(`${folder}/${binaryOfPath(path)}`, 'latin1')

function writeTree (folder: string, tree: Tree): void {
  for (const [path, { mode, bytes }] of tree) {
    const place = onDisk(folder, path)
    mkdirSync(onDisk(folder, dirname(path)), { recursive: true })
    if (mode === '120000') symlinkSync(Buffer.from(bytes), place)
    else {
      writeFileSync(place, bytes)
      if (mode === '100755') chmodSync(place, 0o755)
    }
  }
}

function readTree (folder: string): Map<string, TreeFile> {
  const tree = new Map<string, TreeFile>()
  const visit = (under: string): void => {
    for (const name of readdirSync(Buffer.from(join(folder, under), 'latin1'), { encoding: 'buffer' })) {
      const path = under === '' ? name.toString('latin1') : `${under}/${name.toString('latin1')}`
      const place = Buffer.from(`${folder}/${path}`, 'latin1')
      const about = lstatSync(place)
      if (about.isDirectory()) visit(path)
      else if (about.isSymbolicLink()) tree.set(textOfPath(path), { mode: '120000', bytes: readlinkSync(place, { encoding: 'buffer' }) })
      else tree.set(textOfPath(path), { mode: (about.mode & 0o100) === 0 ? '100644' : '100755', bytes: readFileSync(place) })
    }
  }
  visit('')
  return tree
}

// ---- comparing ------------------------------------------------------------------------------------------------------

/** A link removed and put back, with a file written through it: git does it, see tree.ts. */
const refusedByDesign = 'PATCH_THROUGH_LINK'

/** Null where both agree. */
export function compare (sample: DiffCase, expected: Tree | null): string | null {
  let actual: Map<string, TreeFile>
  try {
    actual = applyPatch(sample.patch, sample.tree, { reverse: sample.reverse })
  } catch (error) {
    if (!(error instanceof SparError)) return `a defect: ${error instanceof Error ? error.stack : error}`
    return expected === null || error.code === refusedByDesign ? null : `git applies it, and we refuse: ${error.code} ${error.message}`
  }
  if (expected === null) return 'git refuses it, and we apply'
  return differenceOf(actual, expected) ?? heldProperties(sample) ?? (sample.clean ? undone(sample, actual) : null)
}

export function differenceOf (actual: Tree, expected: Tree): string | null {
  for (const path of new Set([...actual.keys(), ...expected.keys()])) {
    const [ours, theirs] = [actual.get(path), expected.get(path)]
    if (!ours || !theirs) return `${JSON.stringify(path)} is only in the tree of ${ours ? 'ours' : 'git'}`
    if (ours.mode !== theirs.mode) return `${JSON.stringify(path)} has mode ${ours.mode}, and ${theirs.mode} with git`
    if (Buffer.compare(ours.bytes, theirs.bytes) !== 0) return `${JSON.stringify(path)} differs:\n${show(ours.bytes)}\nand with git\n${show(theirs.bytes)}`
  }
  return null
}

export const show = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1').replace(/[^\n\x20-\x7e]/g, char => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)

/** What must hold of every patch that applies. */
function heldProperties ({ patch }: DiffCase): string | null {
  const index = parsePatch(patch)
  if (Buffer.compare(formatPatch(index), patch) !== 0) return 'format after parse is not the patch'
  if (Buffer.compare(joinPatches(splitPatch(patch)), patch) !== 0) return 'the joined parts are not the patch'
  return null
}

/**
 * Backwards again, by reversing the application and by reversing the patch, unless that is refused, as of a copy. Of a path
 * in several sections git leaves what the last one wrote, also where another one removes it: there is no way back. Nor
 * is there from a file that a diff of another kind adds without saying so: an empty one stays. A mode that is not the one that
 * the patch speaks of is let pass by git, and lost.
 */
function undone ({ patch, tree, reverse }: DiffCase, after: Tree): string | null {
  const index = parsePatch(patch)
  const paths = index.files().flatMap(({ oldPath, newPath }) => [...new Set([oldPath, newPath])].filter(path => path !== null))
  if (new Set(paths).size < paths.length || index.files().some((_, at) => index.told(at, file.isNew) === -1 || index.told(at, file.isDelete) === -1)) return null
  const surprised = index.files().some(({ oldPath, newPath, oldMode, newMode }) => {
    const [path, mode] = reverse ? [newPath, newMode] : [oldPath, oldMode]
    return path !== null && mode !== null && tree.has(path) && tree.get(path)!.mode !== mode
  })
  if (surprised) return null
  const ways: [string, () => Tree][] = [['applying backwards', () => applyPatch(patch, after, { reverse: !reverse })]]
  if (!reverse) ways.push(['the reversed patch', () => applyPatch(reversePatch(patch), after)])
  for (const [what, undo] of ways) {
    let before: Tree
    try {
      before = undo()
    } catch (error) {
      if (error instanceof SparError) continue
      throw error
    }
    const difference = differenceOf(before, tree)
    if (difference !== null) return `${what} does not undo it: ${difference}`
  }
  return null
}
