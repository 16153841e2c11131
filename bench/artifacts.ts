// Artifacts for benchmarks of verification, made from a published package by simple mutations, the same ones each time:
// one or two files broken, the test files that show it emptied, some of them spoiled so that a check has to reject them.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runners } from '../src/arena/runners/index.ts'
import { createBug, pathKind } from '../src/artifact/index.ts'
import type { Arena, ArtifactFiles, Bug, CheckName, TestMap } from '../src/domain.ts'
import { createRandom } from '../src/random.ts'
import type { Sandboxes } from '../src/ports.ts'
import { createLimiter } from '../src/limiter.ts'
import { readLogHere } from '../src/workers/logs.ts'
import { verifyLimits } from '../src/verify/index.ts'
import { createBench, runTree, type Bench } from '../src/verify/run.ts'
import type { NamedPatch } from '../src/verify/types.ts'

export const benchOf = (sandboxes: Sandboxes, bug: Bug, arena: Arena, slots: number): Bench => createBench(
  { arena, suite: { script: bug.files.testScript, parser: bug.files.testParser, parserName: bug.files.parserName }, run: 'bench', limits: verifyLimits, asksEveryParser: true }, { sandboxes, cores: createLimiter(slots), readLog: readLogHere })

const operators: [RegExp, string][] = [
  [/===/g, '!=='], [/ < /g, ' >= '], [/ > /g, ' <= '], [/ && /g, ' || '], [/\btrue\b/g, 'false'], [/ \+ /g, ' - '], [/return (?=[\w(])/g, 'return void '], [/\? /g, '&& false ? '], [/\bif \(/g, 'if (!'], [/= 0;/g, '= 1;']
]

/** Every place at which one operator of the table can be put into a file. */
function mutantsOf (path: string, source: string): { path: string; text: string }[] {
  return operators.flatMap(([pattern, replacement]) => [...source.matchAll(pattern)].map(match => ({ path, text: source.slice(0, match.index) + replacement + source.slice(match.index + match[0].length) })))
}

function diff (before: Record<string, string>, after: Record<string, string>): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'bench-diff-'))
  const git = (...args: string[]): Buffer => execFileSync('git', ['-c', 'core.autocrlf=false', ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 2 ** 26 })
  const put = (files: Record<string, string>): void => Object.entries(files).forEach(([path, text]) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  })
  git('init', '-q', '.')
  put(before)
  git('add', '-A', '-f')
  put(after)
  const patch = git('diff', '--no-renames', '--binary', '--full-index')
  rmSync(folder, { recursive: true })
  return new Uint8Array(patch)
}

/** What an artifact is made of, before it is spoiled. */
interface Draft { files: Omit<ArtifactFiles, 'bugInject' | 'testWeaken'>; before: Record<string, string>; after: Record<string, string>; tests: Record<string, string> }

/** One way each to be rejected by a check; the others are tested in test/verify. */
const spoils: [CheckName, (draft: Draft, read: (path: string) => string, idle: string) => Partial<ArtifactFiles>][] = [
  ['inverse', ({ before, after }, read, idle) => ({ bugInject: diff({ ...before, [idle]: read(idle) }, { ...after, [idle]: `${read(idle)}\n// no change\n` }) })],
  ['weaken', ({ tests }) => ({ testWeaken: diff(tests, Object.fromEntries(Object.entries(tests).map(([path, text]) => [path, `${text}\n// all tests are here\n`]))) })],
  ['bug', ({ before }) => ({ bugInject: diff(mapValues(before, () => 'one\n'), mapValues(before, () => 'two\n')) })],
  ['scope', ({ before, after }, read) => ({ bugInject: diff({ ...before, 'package.json': read('package.json') }, { ...after, 'package.json': '{}\n' }) })],
  ['parser', () => ({ parserName: 'test_parser.js', testParser: Buffer.from('process.exit(3)\n') })],
  ['script', ({ files }) => ({ testScript: Buffer.from(`${Buffer.from(files.testScript).toString('utf8')}\nyes | head -c 100000000\n`) })]
]

const mapValues = (files: Record<string, string>, value: () => string): Record<string, string> => Object.fromEntries(Object.keys(files).map(path => [path, value()]))

const nothing = new Uint8Array()

/**
 * One or two files broken; the test files that show it are emptied. About one of ten breaks nothing, and one of five is
 * spoiled, each in the next way, to be rejected.
 */
export async function makeArtifacts (arena: Arena, sandboxes: Sandboxes, { count, seed, cores }: { count: number; seed: number; cores: number }): Promise<Bug[]> {
  const random = createRandom(seed)
  const tree = join(arena.dir, 'tree')
  const read = (path: string): string => readFileSync(join(tree, path), 'utf8')
  const files = arena.testFiles.map(file => file.path)
  const runner = runners[arena.runner as keyof typeof runners]
  const parts = { testScript: Buffer.from(runner.script(files)), testFiles: Buffer.from(files.join('\n')), testParser: Buffer.from(runner.parser.source), parserName: runner.parser.name, predPatch: null }
  const sources = readdirSync(tree, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile() && entry.name.endsWith('.js'))
    .map(entry => join(entry.parentPath, entry.name).slice(tree.length + 1)).filter(path => !/node_modules|^dist|^build/.test(path) && pathKind(path, new Set(files)) === 'code')
  const mutants = random.shuffle(sources.flatMap(path => mutantsOf(path, read(path))))
  const bench = benchOf(sandboxes, createBug({ ...parts, bugInject: nothing, testWeaken: nothing }), arena, cores)
  const clean = (await runTree(bench, { patches: [], purpose: 'clean' })).results!
  const bugs: Bug[] = []
  const breaking: { path: string; text: string; shownBy: string[] }[] = []
  let spoiled = 0
  const add = (changes: { path: string; text: string }[], shownBy: string[], spoil: boolean): void => {
    const before = Object.fromEntries(changes.map(({ path }) => [path, read(path)]))
    const after = Object.fromEntries(changes.map(({ path, text }) => [path, text]))
    const tests = Object.fromEntries(shownBy.map(path => [path, read(path)]))
    const draft: Draft = { files: parts, before, after, tests }
    const idle = sources.find(path => !(path in before))!
    const [failed, change] = spoil ? spoils[spoiled++ % spoils.length]! : [null, () => ({})]
    bugs.push(createBug({ ...parts, bugInject: diff(before, after), testWeaken: diff(tests, mapValues(tests, () => `// ${'removed\n// '.repeat(3)}\n`)), ...change(draft, read, idle) }))
    console.log(`  made ${bugs.length} of ${count}${failed === null ? '' : `, to be rejected by "${failed}"`}`)
  }
  type Mutant = { path: string; text: string }
  const resultsOf = async (mutant: Mutant): Promise<TestMap | null> => {
    const patch: NamedPatch = { name: 'mutant', bytes: diff({ [mutant.path]: read(mutant.path) }, { [mutant.path]: mutant.text }) }
    return (await runTree(bench, { patches: [patch], purpose: 'mutant' })).results
  }
  const examine = (mutant: Mutant, results: TestMap | null): void => {
    if (bugs.length >= count || results === null) return
    const shownBy = files.filter(file => Object.keys(clean).some(id => id.startsWith(`${file}::`) && results[id] !== 'passed'))
    if (shownBy.length === files.length) return
    if (shownBy.length === 0) {
      if (bugs.length % 10 === 9) add([mutant], files.slice(0, 1), false)
      return
    }
    if (bugs.length % 5 === 4) return add([mutant], shownBy, true)
    const partner = breaking.find(other => other.path !== mutant.path && new Set([...other.shownBy, ...shownBy]).size < files.length)
    if (partner !== undefined && bugs.length % 2 === 1) {
      breaking.splice(breaking.indexOf(partner), 1)
      add([mutant, partner], [...new Set([...partner.shownBy, ...shownBy])], false)
    } else {
      add([mutant], shownBy, false)
      breaking.push({ ...mutant, shownBy })
    }
  }
  while (bugs.length < count && mutants.length > 0) {
    const next = mutants.splice(0, cores)
    const results = await Promise.all(next.map(resultsOf))
    next.forEach((mutant, index) => examine(mutant, results[index]!))
  }
  return bugs
}
