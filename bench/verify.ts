// What verification costs, on artifacts made from a real published package by simple mutations:
//   overhead  wall time of one verification over its unavoidable test runs placed ideally on the same cores: the bare
//             script in trees that are ready, no sandbox to open, no patch, no parser (the clean run is shared, so it is
//             not among them). Both sides are measured in turns, artifact by artifact.
//   naive     all artifacts, against the plain sequence: every state in a new sandbox, the whole suite, one after the
//             other, nothing shared, nothing stopped early. The verdicts must be the same.
// `--check` turns the marks into an exit code. Usage: node dist/bench/verify.js [--check] [--artifacts 50] [--target npm:…]

import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { verifyBug } from '../actors/verifier.ts'
import { openArena } from '../src/arena/open.ts'
import { runners } from '../src/arena/runners/index.ts'
import { createBug, pathKind } from '../src/artifact/index.ts'
import { systemClock } from '../src/clock.ts'
import type { Arena, ArtifactFiles, Bug, CheckName, TestMap, Verdict } from '../src/domain.ts'
import { createRandom } from '../src/random.ts'
import { createSandboxes } from '../src/sandbox/index.ts'
import { shellQuote } from '../src/quote.ts'
import { createCleanRunCache, createLimiter, stageNames, toVerdict, verifyLimits, type TreeRun, type VerifyPorts, type VerifyRequest } from '../src/verify/index.ts'
import { planBug, unitName, withoutUnits, type Plan } from '../src/verify/plan.ts'
import { createBench, openTree, runTree, type Bench } from '../src/verify/run.ts'
import type { Runs } from '../src/verify/runs.ts'
import { nothingKnown } from '../src/verify/stages.ts'
import { applyPatch } from '../src/verify/tree.ts'
import type { NamedPatch } from '../src/verify/types.ts'
import { stageFunctions } from '../src/verify/verification.ts'

const { values } = parseArgs({
  options: { check: { type: 'boolean', default: false }, artifacts: { type: 'string', default: '50' }, overhead: { type: 'string', default: '10' }, target: { type: 'string', default: 'npm:qs@6.13.0' }, seed: { type: 'string', default: '1' } }
})
const marks = { overheadMax: 1.25, naiveMin: 3 }
const cores = availableParallelism()
const params = { minPassing: 10, minFiles: 1, minFailing: 1 }
const home = mkdtempSync(join(tmpdir(), 'bench-verify-'))
const sandboxes = await createSandboxes({ kind: 'process', home })
const failed: string[] = []

const requestOf = (bug: Bug, arena: Arena): VerifyRequest => ({ bug, arena, params, mode: 'strict', run: 'bench' })
const newPorts = (): VerifyPorts => ({ sandboxes, cores: createLimiter(cores), cleanRuns: createCleanRunCache(), clock: systemClock })
const benchOf = (bug: Bug, arena: Arena, slots = cores): Bench => createBench(
  { arena, suite: { script: bug.files.testScript, parser: bug.files.testParser, parserName: bug.files.parserName }, run: 'bench', limits: verifyLimits }, { sandboxes, cores: createLimiter(slots) })

async function timed<Value> (work: () => Promise<Value>): Promise<{ ms: number; value: Value }> {
  const startedAt = performance.now()
  const value = await work()
  return { ms: performance.now() - startedAt, value }
}

// ---- artifacts ------------------------------------------------------------------------------------------------------

const operators: [RegExp, string][] = [
  [/===/g, '!=='], [/ < /g, ' >= '], [/ > /g, ' <= '], [/ && /g, ' || '], [/\btrue\b/g, 'false'], [/ \+ /g, ' - '], [/return (?=[\w(])/g, 'return void '], [/\? /g, '&& false ? '], [/\bif \(/g, 'if (!'], [/= 0;/g, '= 1;']
]

/** Every place at which one operator of the table can be put into a file. */
function mutantsOf (path: string, source: string): { path: string; text: string }[] {
  return operators.flatMap(([pattern, replacement]) => [...source.matchAll(pattern)].map(match => ({ path, text: source.slice(0, match.index) + replacement + source.slice(match.index + match[0].length) })))
}

function diff (before: Record<string, string>, after: Record<string, string>): Uint8Array {
  const folder = mkdtempSync(join(home, 'diff-'))
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

const nothing = { name: 'nothing', bytes: new Uint8Array() }

/**
 * One or two files broken; the test files that show it are emptied. About one of ten breaks nothing, and one of five is
 * spoiled, each in the next way, to be rejected.
 */
async function makeArtifacts (arena: Arena, count: number): Promise<Bug[]> {
  const random = createRandom(Number(values.seed))
  const tree = join(arena.dir, 'tree')
  const read = (path: string): string => readFileSync(join(tree, path), 'utf8')
  const files = arena.testFiles.map(file => file.path)
  const runner = runners[arena.runner as keyof typeof runners]
  const parts = { testScript: Buffer.from(runner.script(files)), testFiles: Buffer.from(files.join('\n')), testParser: Buffer.from(runner.parser.source), parserName: runner.parser.name, predPatch: null }
  const sources = readdirSync(tree, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile() && entry.name.endsWith('.js'))
    .map(entry => join(entry.parentPath, entry.name).slice(tree.length + 1)).filter(path => !/node_modules|^dist|^build/.test(path) && pathKind(path, new Set(files)) === 'code')
  const mutants = random.shuffle(sources.flatMap(path => mutantsOf(path, read(path))))
  const bench = benchOf(createBug({ ...parts, bugInject: nothing.bytes, testWeaken: nothing.bytes }), arena)
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

// ---- baselines ------------------------------------------------------------------------------------------------------

/** The scripts that no verification can leave out, in trees that are ready, as many at once as there are cores. */
async function idealMs (bug: Bug, arena: Arena): Promise<number> {
  const bench = benchOf(bug, arena)
  const plan = planBug(bug, arena, params)
  const trees: NamedPatch[][] = [[plan.inject], [plan.inject], [plan.inject, plan.weaken]]
  if (plan.units.length > 1) for (const unit of plan.units) trees.push([withoutUnits(plan.units, new Set([unit]))])
  const ready = await Promise.all(trees.map(async patches => {
    const sandbox = await openTree(bench, 'ideal')
    for (const patch of patches) await applyPatch(sandbox, patch, verifyLimits)
    await sandbox.writeFile(`${sandbox.scratch}/test_script.sh`, bench.suite.script)
    return sandbox
  }))
  const { ms } = await timed(async () => await Promise.all(ready.map(async sandbox => await bench.cores.run(
    async () => await sandbox.exec(`bash ${shellQuote(`${sandbox.scratch}/test_script.sh`)}`, { timeoutMs: 90_000, outputBytesMax: 2 ** 24 })))))
  await Promise.all(ready.map(async sandbox => await sandbox.destroy()))
  return ms
}

/** Every state, one after the other, and then the same checks. */
async function naiveVerdict (bug: Bug, arena: Arena): Promise<Verdict> {
  const request = requestOf(bug, arena)
  const bench = benchOf(bug, arena)
  const plan: Plan = planBug(bug, arena, params)
  const run = async (...patches: NamedPatch[]): Promise<TreeRun> => await runTree(bench, { patches, purpose: 'naive' })
  const [clean, buggy] = [[await run(), await run()], [await run(plan.inject), await run(plan.inject)]]
  const weakened = await run(plan.inject, plan.weaken)
  const restored = new Map<string, TreeRun>()
  for (const unit of plan.units) restored.set(unitName(unit), await run(withoutUnits(plan.units, new Set([unit]))))
  const runs: Runs = {
    absent: async () => [], startAll: () => {}, close: async () => {}, clean: async repeat => clean[repeat]!, buggy: async repeat => buggy[repeat]!, weakened: async () => weakened, restored: async ([unit]) => restored.get(unitName(unit!))!
  }
  const stages = { plan, runs, request, limits: verifyLimits, repeats: 2, known: nothingKnown(plan) }
  const reports = []
  for (const stage of stageNames) {
    reports.push(await stageFunctions[stage](stages))
    if (reports.at(-1)!.checks.some(check => check.verdict === 'fail')) break
  }
  const checks = new Map(reports.flatMap(report => report.checks).map(check => [check.name, check]))
  return toVerdict(bug, { kind: 'decided', checks: [...checks.values()], findings: Object.assign({}, ...reports.map(report => report.findings)) })
}

// ---- measurements ---------------------------------------------------------------------------------------------------

function report (name: string, value: number, baseline: string, holds: boolean, mark: string): void {
  console.log(`${name.padEnd(40)} ${value.toFixed(2)} ×   ${baseline}   mark ${mark} ${holds ? 'holds' : 'MISSED'}`)
  if (!holds) failed.push(name)
}

async function benchOverhead (bugs: Bug[], arena: Arena): Promise<void> {
  const ports = newPorts()
  let [ours, ideal, count] = [0, 0, 0]
  for (const bug of bugs) {
    if (count >= Number(values.overhead)) break
    if (count === 0) await verifyBug(requestOf(bug, arena), ports)
    const { ms, value } = await timed(async () => await verifyBug(requestOf(bug, arena), ports))
    // A rejected artifact stops early: only whole verifications are held against the ideal.
    if (!value.valid) continue
    const bare = await idealMs(bug, arena)
    ours += ms
    ideal += bare
    count++
    console.log(`  ${bug.id} ${value.files.length} file(s): ${ms.toFixed(0)} ms, ideal ${bare.toFixed(0)} ms`)
  }
  report('one verification over its ideal', ours / ideal, `${count} artifacts: ${(ours / count).toFixed(0)} ms, ideal ${(ideal / count).toFixed(0)} ms, ${cores} cores`, ours / ideal <= marks.overheadMax, `≤ ${marks.overheadMax}`)
}

/** Artifacts that are verified before the other side has its turn. */
const blockSize = 10

/** As `spar play` verifies: as many at a time as there are cores, one limiter and one cache of clean runs for all. */
async function verifyAll (bugs: Bug[], arena: Arena, ports: VerifyPorts): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  const queue = [...bugs.entries()]
  const worker = async (): Promise<void> => { for (let next = queue.shift(); next !== undefined; next = queue.shift()) verdicts[next[0]] = await verifyBug(requestOf(next[1], arena), ports) }
  await Promise.all(Array.from({ length: cores }, worker))
  return verdicts
}

async function naiveAll (bugs: Bug[], arena: Arena): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  for (const bug of bugs) verdicts.push(await naiveVerdict(bug, arena))
  return verdicts
}

/** Both sides in turns, a block of artifacts each, so that what else the machine does strikes both. */
async function benchNaive (bugs: Bug[], arena: Arena): Promise<void> {
  const ports = newPorts()
  const ours = { ms: 0, value: [] as Verdict[] }
  const naive = { ms: 0, value: [] as Verdict[] }
  for (let from = 0; from < bugs.length; from += blockSize) {
    const block = bugs.slice(from, from + blockSize)
    const [one, other] = [await timed(() => verifyAll(block, arena, ports)), await timed(() => naiveAll(block, arena))]
    for (const [sum, part] of [[ours, one], [naive, other]] as const) {
      sum.ms += part.ms
      sum.value.push(...part.value)
    }
    console.log(`  ${ours.value.length} of ${bugs.length}: ours ${(one.ms / 1000).toFixed(1)} s, naive ${(other.ms / 1000).toFixed(1)} s, load ${loadavg()[0]!.toFixed(1)}`)
  }
  const essence = ({ bugId, valid, failed, mode, f2p, p2p, quarantined }: Verdict): string => JSON.stringify({ bugId, valid, failed, mode, f2p, p2p, quarantined })
  const failures = new Map<string, number>()
  for (const { failed } of ours.value) failures.set(failed ?? 'valid', (failures.get(failed ?? 'valid') ?? 0) + 1)
  console.log(`verdicts of ours: ${[...failures].map(([name, count]) => `${name} ${count}`).join(', ')}`)
  const differing = bugs.filter((_, index) => essence(ours.value[index]!) !== essence(naive.value[index]!))
  const valid = ours.value.filter(verdict => verdict.valid).length
  report('naive sequence over ours', naive.ms / ours.ms, `${bugs.length} artifacts (${valid} valid): naive ${(naive.ms / 1000).toFixed(1)} s, ours ${(ours.ms / 1000).toFixed(1)} s`, naive.ms / ours.ms >= marks.naiveMin, `≥ ${marks.naiveMin}`)
  console.log(`verdicts: ${differing.length === 0 ? 'identical' : `DIFFERENT for ${differing.map(bug => bug.id).join(', ')}`}`)
  for (const bug of differing) {
    failed.push(`identical verdicts of ${bug.id}`)
    for (const [side, { value }] of Object.entries({ ours, naive })) console.log(`  ${side}: ${JSON.stringify(value[bugs.indexOf(bug)]!.checks.filter(({ verdict }) => verdict !== 'pass').map(({ name, reason }) => ({ name, reason })))} ${essence(value[bugs.indexOf(bug)]!)}`)
  }
}

try {
  const arena = await openArena({ target: values.target, home, sandboxKind: 'process', onProgress: line => console.log(line) }, { sandboxes, clock: systemClock })
  const bugs = await makeArtifacts(arena, Number(values.artifacts))
  console.log(`${bugs.length} artifacts of ${values.target} (${arena.runner}, ${arena.testFiles.length} test files), isolation ${(await openTree(benchOf(bugs[0]!, arena), 'probe')).isolation}, ${cores} cores`)
  console.log(`load ${loadavg().map(load => load.toFixed(1)).join(' ')} before`)
  await benchOverhead(bugs, arena)
  await benchNaive(bugs, arena)
  console.log(`load ${loadavg().map(load => load.toFixed(1)).join(' ')} after`)
} finally {
  await sandboxes.close()
  rmSync(home, { recursive: true, force: true })
}
if (values.check && failed.length > 0) {
  console.error(`missed: ${failed.join(', ')}`)
  process.exitCode = 1
}
