// How many episodes of eight attempts the simulator plays for a second of one core: the seeds of a hunt, few episodes each with the faults
// that each seed draws, and one long run without faults. Beside each: the same plays bare, in a plain loop of awaits: the policy, its tools
// in simulated sandboxes, and what is true of what it submits; no nodes, no machines, no bus, no records, no time. Seconds are of the
// processor, all threads together. `--check` turns the mark into an exit code. Usage: node dist/bench/simulate.js [--check] [--rounds 3]

import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { openPlace } from '../actors/simulation/place.ts'
import { simulate } from '../actors/simulation/simulate.ts'
import { createBug } from '../src/artifact/index.ts'
import { systemClock } from '../src/clock.ts'
import type { ArtifactFiles, Observation, RolloutTask, ToolCall } from '../src/domain.ts'
import type { Clock, Policy, Sandbox, Sandboxes } from '../src/ports.ts'
import { createRandom } from '../src/random.ts'
import { collectArtifact, collectPatch } from '../src/rollout/collect.ts'
import { executeTool, toolLimits } from '../src/rollout/tools.ts'
import { drawEpisode, episodeIdOf, rolloutSeed } from '../src/run/draw.ts'
import { breakId, solveId } from '../src/run/ids.ts'
import { runDefaults, type RunOptions } from '../src/run/options.ts'
import { simulatedArena } from '../src/simulation/arena.ts'
import { drawFaults, noFaults, type FaultPlan } from '../src/simulation/faults.ts'
import { createSimulatedPolicy } from '../src/simulation/policy.ts'
import { createSimulatedMachine } from '../src/simulation/sandboxes.ts'
import { truthOfAttempt, truthOfBug } from '../src/simulation/truth.ts'
import { oraclePatch, prepareSolverTree } from '../src/verify/solver-tree.ts'

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, rounds: { type: 'string', default: '3' } } })
const markPerSecond = 200
const rounds = Number(values.rounds)
const group = 8

interface Set { name: string; nodes: number; seeds: number[]; episodes: number; plan: (seed: number) => FaultPlan }
const sets: Set[] = [
  { name: '40 seeds of 5 episodes, 3 nodes', nodes: 3, seeds: Array.from({ length: 40 }, (_, index) => 5_000_001 + index), episodes: 5, plan: drawFaults },
  { name: 'one run of 200, 5 nodes, no faults', nodes: 5, seeds: [7], episodes: 200, plan: () => noFaults }
]

// ---- bare -----------------------------------------------------------------------------------------------------------

const timeless: Clock = { ...systemClock, now: () => 0, sleep: async () => {} }
const never = new AbortController().signal

async function playBare ({ seeds, episodes }: Set): Promise<void> {
  for (const seed of seeds) {
    const arena = simulatedArena(0)
    const options: RunOptions = { ...runDefaults, target: arena.target, seed, group, episodes }
    const random = createRandom(seed)
    const sandboxes = createSimulatedMachine().connect({ owner: 'bare', clock: timeless, random: random.fork('sandboxes') })
    const policy = createSimulatedPolicy({ name: 'bare', clock: timeless, random: random.fork('policy') })
    for (let number = 1; number <= episodes; number++) await playEpisode(options, sandboxes, policy, number)
    await sandboxes.close()
  }
}

async function playEpisode (options: RunOptions, sandboxes: Sandboxes, policy: Policy, number: number): Promise<void> {
  const arena = simulatedArena(0)
  const { strategy, params } = drawEpisode(options, number)
  const shared = (rolloutId: string, role: 'breaker' | 'solver') => ({ rolloutId, seed: rolloutSeed(options, rolloutId), tree: '', scratch: '', testCommand: null, turnsMax: options.turnsMax[role], tokensMax: options.tokensMax[role], commandMsMax: toolLimits.commandMsMax })
  const open = async (view: 'history' | 'tree', purpose: string): Promise<Sandbox> => await sandboxes.open({ arena, view, network: 'none', label: { run: 'bare', purpose } })
  const breaking = breakId(episodeIdOf(number))
  const files = await playRollout<ArtifactFiles>(policy, { role: 'breaker', strategy, params, ...shared(breaking, 'breaker') }, await open('history', breaking), (sandbox, call) => collectArtifact(sandbox, call))
  if (files === null) return
  const bug = createBug(files)
  const truth = truthOfBug(bug, arena, params, options.mode)
  if (!truth.valid) return
  for (let member = 0; member < group; member++) {
    const solving = solveId(episodeIdOf(number), 1, member)
    const sandbox = await open('tree', solving)
    const base = await prepareSolverTree(sandbox, bug)
    const patch = await playRollout<Uint8Array>(policy, { role: 'solver', oraclePatch: oraclePatch(bug), ...shared(solving, 'solver') }, sandbox, opened => collectPatch(opened, base))
    if (patch !== null) truthOfAttempt(bug, arena, truth, patch)
  }
}

type Submit = Extract<ToolCall, { tool: 'submit' }>

async function playRollout<Kept> (policy: Policy, task: RolloutTask, sandbox: Sandbox, collect: (sandbox: Sandbox, call: Submit) => Promise<{ kept: Kept } | { refused: string }>): Promise<Kept | null> {
  const session = policy.start({ ...task, tree: sandbox.tree, scratch: sandbox.scratch })
  let observation: Observation | null = null
  try {
    for (let turn = 0, malformed = 0; turn < task.turnsMax && malformed < 3; turn++) {
      const { call, ends } = await session.next(observation, never)
      if (call === null && ends === true) return null
      malformed = call === null ? malformed + 1 : 0
      const shown = (text: string) => ({ exitCode: 1, text, truncatedBytes: 0, timedOut: false })
      let result = shown('No tool was called.')
      if (call?.tool === 'submit') {
        const submission = await collect(sandbox, call)
        if ('kept' in submission) return submission.kept
        result = shown(submission.refused)
      } else if (call !== null) result = { ...result, ...await executeTool(sandbox, call, toolLimits) as typeof result }
      observation = { ...result, turnsLeft: 1, tokensLeft: 1 }
    }
    return null
  } finally {
    await session.close()
    await sandbox.destroy()
  }
}

// ---- the simulator --------------------------------------------------------------------------------------------------

/** Episodes that were settled: a run that somebody cancels ends with fewer. */
async function playAll ({ nodes, seeds, episodes, plan }: Set): Promise<number> {
  let settled = 0
  for (const seed of seeds) {
    const simulated = await simulate({ seed, nodes, episodes, runs: 1, group, plan: plan(seed) }, openPlace())
    if (simulated.violations.length > 0) throw new Error(`seed ${seed} breaks a rule: ${JSON.stringify(simulated.violations[0])}`)
    settled += simulated.episodes
  }
  return settled
}

async function secondsOf<Result> (work: () => Promise<Result>): Promise<{ seconds: number; result: Result }> {
  const before = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(before)
  return { seconds: (user + system) / 1e6, result }
}

const median = (figures: number[]): number => figures.sort((one, other) => one - other)[figures.length >> 1]!

let missed = false
for (const set of sets) {
  const [rates, ratios]: [number[], number[]] = [[], []]
  await playAll({ ...set, seeds: set.seeds.slice(0, 4), episodes: 5 })
  await playBare({ ...set, seeds: set.seeds.slice(0, 4), episodes: 5 })
  for (let round = 0; round < rounds; round++) {
    const all = await secondsOf(() => playAll(set))
    const bare = await secondsOf(() => playBare(set))
    rates.push(all.result / all.seconds)
    ratios.push(all.seconds / all.result / (bare.seconds / (set.seeds.length * set.episodes)))
  }
  const rate = median(rates)
  missed ||= rate < markPerSecond
  console.log(`${set.name.padEnd(36)} ${rate.toFixed(0).padStart(4)} episodes a second of one core (${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)}), ${median(ratios).toFixed(1)} × the time of the bare plays, load ${loadavg()[0]!.toFixed(1)}   mark ≥ ${markPerSecond} ${rate < markPerSecond ? 'MISSED' : 'holds'}`)
}
if (values.check && missed) process.exitCode = 1
