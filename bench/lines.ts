// The line diff of two files of 20,000 lines, beside `git diff --no-index` with its spawn, in turns in the same run. jsdiff
// runs once where it ends within `--jsdiff-ms`. Every diff is applied by git and compared before anything is measured.
// `--check` turns the marks into an exit code. Usage: node dist/bench/lines.js [--check] [--lines 20000] [--rounds 15] [--jsdiff-ms 5000]

import { createTwoFilesPatch } from 'diff'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createRandom } from '../src/random.ts'
import { diffLines } from '../src/workers/lines/diff.ts'

const { values } = parseArgs({
  options: { check: { type: 'boolean', default: false }, lines: { type: 'string', default: '20000' }, rounds: { type: 'string', default: '15' }, 'jsdiff-ms': { type: 'string', default: '5000' } }
})
const marks = { edited: 1.2, moved: 2 }
const count = Number(values.lines)
const rounds = Number(values.rounds)
const timeout = Number(values['jsdiff-ms'])
const random = createRandom(1)
const failed: string[] = []

// ---- files ----------------------------------------------------------------------------------------------------------

const fresh = (): string => `  const value${random.int(1e6)} = read(source, ${random.int(1e6)})${random.next() < 0.2 ? ' // as it was' : ''}\n`
const distinct = (length: number): string[] => Array.from({ length }, fresh)

/** A third each of the edited lines goes, is replaced, and gets a new one before it. */
function edited (lines: readonly string[], share: number, draw: () => string = fresh): string[] {
  return lines.flatMap(line => random.next() >= share ? [line] : random.pick([[], [draw()], [draw(), line]]))
}

function repetitive (different: number): [string[], string[]] {
  const words = distinct(different)
  const before = Array.from({ length: count }, () => random.pick(words))
  return [before, edited(before, 0.1, () => random.pick(words))]
}

function blocksMoved (lines: readonly string[]): string[] {
  const size = Math.ceil(count / 40)
  return random.shuffle(Array.from({ length: 40 }, (_, block) => lines.slice(block * size, (block + 1) * size))).flat()
}

interface Case { name: string; before: string[]; after: string[]; mark: number }

function casesOf (): Case[] {
  const lines = distinct(count)
  const [few, fewEdited] = repetitive(2)
  const [hundred, hundredEdited] = repetitive(100)
  return [
    { name: '1 % edited', before: lines, after: edited(lines, 0.01), mark: marks.edited },
    { name: '10 % edited', before: lines, after: edited(lines, 0.1), mark: marks.edited },
    { name: '50 % edited', before: lines, after: edited(lines, 0.5), mark: marks.edited },
    { name: 'repetitive, of 100 lines', before: hundred, after: hundredEdited, mark: marks.edited },
    { name: 'repetitive, of 2 lines', before: few, after: fewEdited, mark: marks.edited },
    { name: 'all different', before: lines, after: lines.map(line => `x${line}`), mark: marks.edited },
    { name: 'lines shuffled', before: lines, after: random.shuffle(lines), mark: marks.moved },
    { name: 'blocks moved', before: lines, after: blocksMoved(lines), mark: marks.moved }
  ]
}

// ---- measurement ----------------------------------------------------------------------------------------------------

const folder = mkdtempSync(join(tmpdir(), 'bench-lines-'))
const env = { ...process.env, GIT_DIR: '/dev/null' }
const git = (args: string[], input?: Uint8Array): Buffer => spawnSync('git', args, { cwd: folder, env, maxBuffer: 2 ** 28, ...(input ? { input } : {}) }).stdout

function timed (work: () => unknown): number {
  const startedAt = performance.now()
  work()
  return performance.now() - startedAt
}

const median = (times: number[]): number => times.sort((a, b) => a - b)[times.length >> 1]!
const changesOf = (patch: Uint8Array): number => Buffer.from(patch).toString('latin1').split('\n').filter(line => /^[-+](?!\+\+ b\/|-- a\/)/.test(line)).length

function bench ({ name, before, after, mark }: Case): void {
  const sides = [before, after].map(lines => Buffer.from(lines.join(''))) as [Buffer, Buffer]
  writeFileSync(join(folder, 'file'), sides[0])
  const ours = (): Uint8Array => diffLines(...sides, { path: 'file' })
  git(['apply', '-'], ours())
  if (!readFileSync(join(folder, 'file')).equals(sides[1])) throw new Error(`${name}: the diff does not make the other side`)
  writeFileSync(join(folder, 'before'), sides[0])
  writeFileSync(join(folder, 'after'), sides[1])
  const theirs = (): Buffer => git(['diff', '--no-index', '--full-index', '--no-color', 'before', 'after'])
  const times: { ours: number[]; git: number[] } = { ours: [], git: [] }
  for (let warm = 0; warm < 3; warm++) ours()
  for (let round = 0; round < rounds; round++) {
    times.git.push(timed(theirs))
    times.ours.push(timed(ours))
  }
  const [ms, gitMs] = [median(times.ours), median(times.git)]
  const texts = sides.map(side => side.toString('utf8')) as [string, string]
  let found: string | undefined
  const jsdiffMs = timed(() => { found = createTwoFilesPatch('a', 'b', ...texts, undefined, undefined, { timeout }) })
  const jsdiff = found === undefined ? `jsdiff not within ${timeout} ms` : `jsdiff ${(jsdiffMs / gitMs).toFixed(1)}`
  const holds = ms / gitMs <= mark
  console.log(`${name.padEnd(26)} ${ms.toFixed(1)} ms, git ${gitMs.toFixed(1)} ms: ratio ${(ms / gitMs).toFixed(2)}; ${jsdiff}; ${changesOf(ours())} changed lines, git ${changesOf(theirs())}   mark ≤ ${mark} ${holds ? 'holds' : 'MISSED'}`)
  if (!holds) failed.push(name)
}

console.log(`${count} lines a side, ${execFileSync('git', ['--version'], { encoding: 'utf8' }).trim()}, load ${loadavg().map(load => load.toFixed(1)).join(' ')} before`)
for (const one of casesOf()) bench(one)
console.log(`load ${loadavg().map(load => load.toFixed(1)).join(' ')} after`)
rmSync(folder, { recursive: true })
if (values.check && failed.length > 0) {
  console.error(`missed: ${failed.join(', ')}`)
  process.exitCode = 1
}
