// Reading, applying and refusing patches beside `git apply` with its spawn, each pair in turns in the same run: a 10 MB
// unified diff of 288 files, in memory, is read; it, and the first 60 and 2 files of it, are applied end to end (pre-images read from
// disk, results written to disk); and a 4,000-line hunk of few different lines is refused for a file of 40,000.

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createRandom } from '../src/random.ts'
import { applyPatch, formatPatch, parsePatch, type TreeFile } from '../src/workers/diff/index.ts'

const random = createRandom(1)
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'bench-diff-'))
const env = { PATH: process.env.PATH, LC_ALL: 'C', GIT_DIR: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', HOME: folder }
const git = (cwd: string, ...args: string[]): void => { spawnSync('git', ['-c', 'core.autocrlf=false', 'apply', '--whitespace=nowarn', ...args], { cwd, env, stdio: 'ignore' }) }
let failed = false
const words = ['const', 'value', 'return', 'if', 'await', 'result', '=', '=>', '(options)', '{', '}', 'this.state', 'index + 1', "'text'", 'function', 'null']

try {
  const { files, patch } = corpus(288, 11_477)
  const index = parsePatch(patch)
  writeFileSync(join(folder, 'whole.diff'), patch)
  console.log(`diff: a patch of ${(patch.length / 1e6).toFixed(1)} MB, ${index.fileCount} files, ${index.plain.hunkTable.length / 10} hunks; load ${loadavg()[0]!.toFixed(1)}`)
  report('parse', 0.6, inTurns(21, () => { parsePatch(patch).numstat() }, () => { git(folder, '--numstat', 'whole.diff') }))
  for (const [count, mark] of [[2, 0.12], [60, 0.4], [288, 0.45]] as const) {
    const part = formatPatch(index, Array.from({ length: count }, (_, at) => at))
    const paths = [...files.keys()].slice(0, count)
    report(`apply ${count} files`, mark, applyEndToEnd(part, paths, files))
  }
  refuseRepetitive()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (failed && process.argv.includes('--check')) process.exitCode = 1

// ---- what is measured -----------------------------------------------------------------------------------------------

function applyEndToEnd (patch: Uint8Array, paths: readonly string[], files: ReadonlyMap<string, Buffer>): Turns {
  writeFileSync(join(folder, 'part.diff'), patch)
  const fresh = join(folder, 'fresh')
  for (const path of paths) write(join(fresh, path), files.get(path)!)
  const trees = ['ours', 'git'].map(name => join(folder, name)) as [string, string]
  const renew = (): void => {
    for (const tree of trees) {
      rmSync(tree, { recursive: true, force: true })
      cpSync(fresh, tree, { recursive: true })
    }
  }
  const turns = inTurns(Math.max(9, Math.min(41, 200 / paths.length)), () => { applyOnDisk(join(folder, 'part.diff'), trees[0]) }, () => { git(trees[1], '../part.diff') }, renew)
  for (const path of paths) if (!readFileSync(join(trees[0], path)).equals(readFileSync(join(trees[1], path)))) throw new Error(`${path} differs from git's`)
  return turns
}

function applyOnDisk (patchFile: string, tree: string): void {
  const index = parsePatch(readFileSync(patchFile))
  const files = index.files()
  const before = new Map<string, TreeFile>(files.map(({ oldPath }) => [oldPath!, { mode: '100644', bytes: readFileSync(join(tree, oldPath!)) }]))
  const after = applyPatch(index, before)
  for (const { newPath } of files) writeFileSync(join(tree, newPath!), after.get(newPath!)!.bytes)
}

function refuseRepetitive (): void {
  const lines = Array.from({ length: 40_000 }, (_, at) => at % 3 === 0 ? 'x\n' : at % 3 === 1 ? '\n' : '}\n')
  const context = lines.slice(300, 4_300).map((line, at) => ` ${at === 3_998 ? 'other\n' : line}`)
  const patch = Buffer.from(`diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -301,4000 +301,4001 @@\n${context.slice(0, 2_000).join('')}+new\n${context.slice(2_000).join('')}`)
  const tree = new Map<string, TreeFile>([['f', { mode: '100644', bytes: Buffer.from(lines.join('')) }]])
  write(join(folder, 'repetitive', 'f'), tree.get('f')!.bytes)
  writeFileSync(join(folder, 'repetitive.diff'), patch)
  const turns = inTurns(9, () => {
    try {
      applyPatch(patch, tree)
    } catch { return }
    throw new Error('the repetitive patch applies')
  }, () => { git(join(folder, 'repetitive'), '../repetitive.diff') })
  failed ||= turns.ours > 50
  console.log(`refuse a repetitive patch: ${turns.ours.toFixed(1)} ms; baseline git apply ${turns.git.toFixed(1)} ms; mark: at most 50 ms`)
}

// ---- measuring ------------------------------------------------------------------------------------------------------

interface Turns { ours: number; git: number }

/** Medians in milliseconds, each side in turn, after rounds to warm up. */
function inTurns (rounds: number, ours: () => void, theirs: () => void, before: () => void = () => {}): Turns {
  const times: Turns[] = []
  for (let round = -2; round <= rounds; round++) {
    before()
    const turn = { ours: timed(ours), git: timed(theirs) }
    if (round > 0) times.push(turn)
  }
  const median = (key: keyof Turns): number => times.map(turn => turn[key]).sort((a, b) => a - b)[times.length >> 1]!
  return { ours: median('ours'), git: median('git') }
}

function timed (work: () => void): number {
  const started = process.hrtime.bigint()
  work()
  return Number(process.hrtime.bigint() - started) / 1e6
}

function report (what: string, mark: number, { ours, git }: Turns): void {
  failed ||= ours / git > mark
  console.log(`${what}: ${ours.toFixed(2)} ms; baseline git apply with its spawn ${git.toFixed(2)} ms; ratio ${(ours / git).toFixed(2)}; mark: at most ${mark}`)
}

// ---- what it is measured on -----------------------------------------------------------------------------------------

function write (path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, bytes)
}

/** Files like sources, and a unified diff that changes each in many places. */
function corpus (fileCount: number, hunkCount: number): { files: Map<string, Buffer>; patch: Buffer } {
  const files = new Map<string, Buffer>()
  let patch = ''
  for (let number = 0; number < fileCount; number++) {
    const path = `src/part-${number % 12}/file-${number}.js`
    const hunks = Math.floor(hunkCount * (number + 1) / fileCount) - Math.floor(hunkCount * number / fileCount)
    const lines = Array.from({ length: hunks * 40 + 20 }, () => line())
    files.set(path, Buffer.from(lines.join('')))
    patch += `diff --git a/${path} b/${path}\nindex 1111111..2222222 100644\n--- a/${path}\n+++ b/${path}\n`
    for (let hunk = 0, shift = 0; hunk < hunks; hunk++) {
      const at = hunk * 40 + 10 + random.int(10)
      const [removed, added] = [random.int(9), 1 + random.int(14)]
      patch += `@@ -${at + 1},${removed + 6} +${at + 1 + shift},${added + 6} @@ function name ()\n` + lines.slice(at, at + 3).map(line => ` ${line}`).join('') +
        lines.slice(at + 3, at + 3 + removed).map(line => `-${line}`).join('') + Array.from({ length: added }, () => `+${line()}`).join('') + lines.slice(at + 3 + removed, at + 6 + removed).map(line => ` ${line}`).join('')
      shift += added - removed
    }
  }
  return { files, patch: Buffer.from(patch) }
}

function line (): string {
  if (random.next() < 0.15) return '\n'
  return `${'  '.repeat(random.int(5))}${Array.from({ length: 3 + random.int(12) }, () => random.pick(words)).join(' ')}\n`
}
