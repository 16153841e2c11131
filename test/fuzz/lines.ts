// Fuzzing of the line diff with git as the oracle. Files of many shapes are drawn from a seed, a batch of them is compared,
// and one `git apply` takes the whole batch there and another one back. Some are compared under absurdly small limits,
// which may make a patch longer, never wrong. A failure names the seed of the batch and the file.

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Random } from '../../src/ports.ts'
import { createRandom, deriveSeed } from '../../src/random.ts'
import { diffLines } from '../../src/workers/lines/diff.ts'
import type { DiffLimits } from '../../src/workers/lines/limits.ts'

export interface FuzzOptions { seed: number; cases: number }
export interface FuzzReport { cases: number; changedLines: number; changedLinesByGit: number }

interface Side { bytes: Buffer; mode: string | null }
interface Case { path: string; before: Side; after: Side; limits: Partial<DiffLimits> | null }

const batchSize = 100
// What the whole batch may have more than git: git cuts corners of its own, so a single file says little.
const longerMax = 1.1

/** Throws at the first difference. */
export function fuzzLines ({ seed, cases }: FuzzOptions): FuzzReport {
  const report = { cases: 0, changedLines: 0, changedLinesByGit: 0 }
  for (let batch = 0; report.cases < cases; batch++) {
    const batchSeed = deriveSeed(seed, `batch ${batch}`)
    const drawn = Array.from({ length: Math.min(batchSize, cases - report.cases) }, (_, index) => drawCase(createRandom(batchSeed).fork(String(index)), index))
    const { ours, git } = checkBatch(drawn, `lines, seed ${seed}, batch ${batch}`)
    report.cases += drawn.length
    report.changedLines += ours
    report.changedLinesByGit += git
  }
  if (report.changedLines > longerMax * report.changedLinesByGit + 10) throw new Error(`lines, seed ${seed}: ${report.changedLines} changed lines in all, git has ${report.changedLinesByGit}`)
  return report
}

// ---- the oracle -----------------------------------------------------------------------------------------------------

/** Changed lines of ours and of git, over the files with the default limits. */
function checkBatch (cases: readonly Case[], where: string): { ours: number; git: number } {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-lines-'))
  try {
    for (const side of ['before', 'after'] as const) {
      mkdirSync(join(folder, side))
      for (const drawn of cases) put(join(folder, side, drawn.path), drawn[side])
    }
    const patches = cases.map(({ path, before, after, limits }) =>
      diffLines(before.bytes, after.bytes, { path, beforeMode: before.mode, afterMode: after.mode, ...(limits ? { limits } : {}) }))
    const fair = (list: readonly unknown[]): unknown[] => list.filter((_, index) => cases[index]!.limits === null)
    const counts = { ours: countChanges(Buffer.concat(fair(patches) as Uint8Array[])), git: gitChanges(folder, fair(cases) as Case[]) }
    const tree = join(folder, 'before')
    for (const [flags, side] of [[[], 'after'], [['-R'], 'before']] as const) {
      apply(tree, Buffer.concat(patches), flags, where)
      for (const drawn of cases) compare(tree, drawn, side, where)
    }
    return counts
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function put (file: string, { bytes, mode }: Side): void {
  mkdirSync(dirname(file), { recursive: true })
  if (mode === null) return
  writeFileSync(file, bytes)
  chmodSync(file, mode === '100755' ? 0o755 : 0o644)
}

function apply (tree: string, patch: Buffer, flags: readonly string[], where: string): void {
  if (patch.length === 0) return
  const { status, stderr } = spawnSync('git', ['apply', '--whitespace=nowarn', ...flags, '-'], { cwd: tree, input: patch, maxBuffer: 2 ** 28, env: { ...process.env, GIT_DIR: '/dev/null' } })
  if (status !== 0) throw new Error(`${where}: git refuses the patch (${flags.join(' ')}): ${stderr.toString()}`)
}

function compare (tree: string, { path, ...sides }: Case, side: 'before' | 'after', where: string): void {
  const { bytes, mode } = sides[side]
  const file = join(tree, path)
  const is = existsSync(file) ? (statSync(file).mode & 0o100) !== 0 ? '100755' : '100644' : null
  if (is !== mode) throw new Error(`${where}, ${JSON.stringify(path)}: mode ${is} instead of ${mode} ${side}`)
  if (mode !== null && !readFileSync(file).equals(bytes)) throw new Error(`${where}, ${JSON.stringify(path)}: other bytes than ${side}: ${JSON.stringify({ before: sides.before.bytes.toString('latin1'), after: sides.after.bytes.toString('latin1') }).slice(0, 2000)}`)
}

function countChanges (patch: Buffer): number {
  const hunks = patch.toString('latin1').replace(/^GIT binary patch\n(?:literal \d+\n(?:[^\n]+\n)*\n){2}/gm, '').replace(/^--- [^\n]*\n\+\+\+ [^\n]*\n/gm, '')
  return (hunks.match(/^[-+]/gm) ?? []).length
}

function gitChanges (folder: string, cases: readonly Case[]): number {
  const paths = new Set(cases.map(({ path }) => path))
  const git = ['-c', 'core.quotePath=false', 'diff', '--no-index', '--no-renames', '--numstat', '-z', 'before', 'after']
  const { stdout } = spawnSync('git', git, { cwd: folder, maxBuffer: 2 ** 28, env: { ...process.env, GIT_DIR: '/dev/null' } })
  const fields = stdout.toString('utf8').split('\0')
  let sum = 0
  for (let at = 0; at + 2 < fields.length; at += 3) {
    const name = [fields[at + 1]!, fields[at + 2]!].find(path => path !== '/dev/null')!
    if (paths.has(name.replace(/^(?:before|after)\//, ''))) sum += fields[at]!.split('\t').slice(0, 2).reduce((lines, count) => lines + (Number(count) || 0), 0)
  }
  return sum
}

// ---- the files ------------------------------------------------------------------------------------------------------

const names = ['plain.js', 'sp ace.txt', 'quo"te', 'back\\slash', 'tab\there', 'new\nline', 'größe.py', '日本', 'bell\x07\x7f', 'a b "é"', '-dash', 'b/a', ' ', "it's", '%s']
const oddLines = ['', '}', '\t', ' ', 'x\r', '\ry', 'one\u2028two', '--- a/x', '+++ b/x', '@@ -1 +1 @@', '\\ No newline at end of file', 'diff --git a/x b/x', 'gr\xf6\xdfe', '\xff\xfe', 'w'.repeat(200), '-', '+', 'GIT binary patch']

function drawCase (random: Random, index: number): Case {
  const path = `${index}/${random.pick(names)}`
  const draw = lineSource(random)
  const lines = random.next() < 0.05 ? [] : Array.from({ length: random.pick([1, 2, 3, 7, 12, 40, 150, random.int(900)]) }, draw)
  const changed = edited(random, lines, draw)
  const end = random.next() < 0.2 ? '\r\n' : '\n'
  const before = { bytes: bytesOf(random, lines, end), mode: random.next() < 0.1 ? '100755' : '100644' }
  const after = { bytes: bytesOf(random, changed, end), mode: random.next() < 0.1 ? '100755' : '100644' }
  const kind = random.next()
  const gone = { bytes: Buffer.alloc(0), mode: null }
  const limits = random.next() < 0.4 ? { probesMax: 1 + random.int(3), costMax: 1 + random.int(6), anchorDepthMax: random.int(3), stepsMax: random.pick([0, 50, 1e9]) } : null
  return { path, before: kind < 0.03 ? gone : before, after: kind > 0.97 ? gone : after, limits }
}

/** A way to draw lines: from a few that repeat, or all different, with odd ones between. */
function lineSource (random: Random): () => string {
  const different = random.pick([1, 2, 3, 8, 50, 1e9])
  const odd = random.pick([0, 0, 0.1, 0.6])
  return () => random.next() < odd ? random.pick(oddLines) : `line ${random.int(different)}`
}

type Edit = (random: Random, lines: readonly string[], draw: () => string) => string[]

const edits: Record<string, Edit> = {
  nothing: (_, lines) => [...lines],
  sprinkled: (random, lines, draw) => {
    const share = random.pick([0.01, 0.1, 0.5, 1])
    return lines.flatMap(line => random.next() >= share ? [line] : random.pick([[], [draw()], [draw(), line], [draw(), draw()]]))
  },
  block: (random, lines, draw) => {
    const from = random.int(lines.length + 1)
    return [...lines.slice(0, from), ...Array.from({ length: random.int(12) }, draw), ...lines.slice(from + random.int(12))]
  },
  moved: (random, lines) => {
    const [from, length, to] = [random.int(lines.length + 1), random.int(40), random.int(lines.length + 1)]
    const rest = [...lines.slice(0, from), ...lines.slice(from + length)]
    return [...rest.slice(0, to), ...lines.slice(from, from + length), ...rest.slice(to)]
  },
  doubled: (random, lines) => {
    const from = random.int(lines.length + 1)
    const part = lines.slice(from, from + random.int(20))
    return [...lines.slice(0, from), ...part, ...part, ...lines.slice(from)]
  },
  shuffled: (random, lines) => random.shuffle(lines),
  replaced: (random, lines, draw) => Array.from({ length: random.int(lines.length * 2 + 1) }, draw),
  emptied: () => []
}

function edited (random: Random, lines: readonly string[], draw: () => string): string[] {
  let changed = [...lines]
  for (let rounds = random.int(3) + 1; rounds > 0; rounds--) changed = random.pick(Object.values(edits))(random, changed, draw)
  return changed.slice(0, 4000)
}

function bytesOf (random: Random, lines: readonly string[], end: string): Buffer {
  const text = lines.join(end) + (random.next() < 0.8 && lines.length > 0 ? end : '')
  const nul = random.next() < 0.03 ? '\0' : ''
  return Buffer.from(text + nul, random.next() < 0.5 ? 'latin1' : 'utf8')
}
