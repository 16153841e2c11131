// What verification costs, on artifacts made from a real published package by simple mutations:
//   overhead  wall time of one verification over its unavoidable test runs placed ideally on the same cores: the bare
//             script in trees that are ready, no sandbox to open, no patch, no parser (the clean run is shared, so it is
//             not among them). Both sides are measured in turns, artifact by artifact.
//   naive     all artifacts, against the plain sequence: every state in a new sandbox that is made when it is asked for,
//             the whole suite, one after the other, nothing shared, nothing stopped early. The verdicts must be the same.
// `--check` turns the marks into an exit code. Usage: node dist/bench/verify.js [--check] [--artifacts 200] [--target npm:…]

import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { verifyBug } from '../actors/verifier.ts'
import { openArena } from '../src/arena/open.ts'
import { systemClock } from '../src/clock.ts'
import type { Arena, Bug, Verdict } from '../src/domain.ts'
import { createProcessSandboxes, createSandboxes } from '../src/sandbox/index.ts'
import { shellQuote } from '../src/quote.ts'
import { verifyLimits, type TreeRun, type VerifyPorts, type VerifyRequest } from '../src/verify/index.ts'
import { planBug, unitName, withoutUnits, type Plan } from '../src/verify/plan.ts'
import { verifyPorts } from '../src/verify/ports.ts'
import { openTree, runTree, type Bench } from '../src/verify/run.ts'
import { applyPatch } from '../src/verify/tree.ts'
import type { NamedPatch } from '../src/verify/types.ts'
import { benchOf as benchOn, makeArtifacts } from './artifacts.ts'
import { judgeRuns } from './judge.ts'

const { values } = parseArgs({
  options: { check: { type: 'boolean', default: false }, artifacts: { type: 'string', default: '200' }, overhead: { type: 'string', default: '10' }, target: { type: 'string', default: 'npm:qs@6.13.0' }, seed: { type: 'string', default: '1' } }
})
const marks = { overheadMax: 1.10, naiveMin: 10 }
const cores = availableParallelism()
const params = { minPassing: 10, minFiles: 1, minFailing: 1 }
const home = mkdtempSync(join(tmpdir(), 'bench-verify-'))
const sandboxes = await createSandboxes({ kind: 'process', home })
/** Of the plain sequence: none is made ahead. */
const cold = await createProcessSandboxes({ home, prepared: 0 })
const failed: string[] = []

const requestOf = (bug: Bug, arena: Arena): VerifyRequest => ({ bug, arena, params, mode: 'strict', run: 'bench' })
const newPorts = (): VerifyPorts => verifyPorts(sandboxes)
const benchOf = (bug: Bug, arena: Arena): Bench => benchOn(sandboxes, bug, arena, cores)

async function timed<Value> (work: () => Promise<Value>): Promise<{ ms: number; value: Value }> {
  const startedAt = performance.now()
  const value = await work()
  return { ms: performance.now() - startedAt, value }
}

// ---- baselines ------------------------------------------------------------------------------------------------------

/** The scripts that no verification can leave out, in trees that are ready, as many at once as there are cores. */
async function idealMs (bug: Bug, arena: Arena): Promise<number> {
  const bench = benchOf(bug, arena)
  const plan = planBug(bug, arena, params)
  const trees: NamedPatch[][] = [...Array.from({ length: verifyLimits.repeats }, () => [plan.inject]), [plan.inject, plan.weaken]]
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
  const bench = benchOn(cold, bug, arena, cores)
  const plan: Plan = planBug(bug, arena, params)
  const run = async (...patches: NamedPatch[]): Promise<TreeRun> => await runTree(bench, { patches, purpose: 'naive' })
  const [clean, buggy]: [TreeRun[], TreeRun[]] = [[], []]
  for (let repeat = 0; repeat < verifyLimits.repeats; repeat++) {
    clean.push(await run())
    buggy.push(await run(plan.inject))
  }
  const weakened = await run(plan.inject, plan.weaken)
  const restored = new Map<string, TreeRun>()
  for (const unit of plan.units) restored.set(unitName(unit), await run(withoutUnits(plan.units, new Set([unit]))))
  return await judgeRuns({
    clean: async repeat => clean[repeat]!, buggy: async repeat => buggy[repeat]!, weakened: async () => weakened, restored: async ([unit]) => restored.get(unitName(unit!))!
  }, { plan, request, repeats: verifyLimits.repeats })
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
  const bugs = await makeArtifacts(arena, sandboxes, { count: Number(values.artifacts), seed: Number(values.seed), cores })
  console.log(`${bugs.length} artifacts of ${values.target} (${arena.runner}, ${arena.testFiles.length} test files), isolation ${(await openTree(benchOf(bugs[0]!, arena), 'probe')).isolation}, ${cores} cores`)
  console.log(`load ${loadavg().map(load => load.toFixed(1)).join(' ')} before`)
  await benchOverhead(bugs, arena)
  await benchNaive(bugs, arena)
  console.log(`load ${loadavg().map(load => load.toFixed(1)).join(' ')} after`)
} finally {
  await Promise.all([sandboxes, cold].map(async kind => await kind.close()))
  rmSync(home, { recursive: true, force: true })
}
if (values.check && failed.length > 0) {
  console.error(`missed: ${failed.join(', ')}`)
  process.exitCode = 1
}
