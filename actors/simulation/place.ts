// What simulated nodes work with: sandboxes of their machine, a policy, verification, each behind the process's own clock.

import { superviseSandboxes } from '../sandbox.ts'
import { followPolicies } from '../../src/cluster/policy-versions.ts'
import { createLimiter } from '../../src/limiter.ts'
import { keepReaping, limitStarts, reapMsDefault } from '../../src/sandbox/tending.ts'
import { simulatedArena } from '../../src/simulation/arena.ts'
import type { Chance } from '../../src/simulation/faults.ts'
import { createSimulatedPolicy } from '../../src/simulation/policy.ts'
import { createSimulatedMachine, type SandboxFault, type SandboxStrike, type SimulatedMachine } from '../../src/simulation/sandboxes.ts'
import { createCleanRunCache } from '../../src/verify/clean-runs.ts'
import { createControls, type Sabotage } from '../../src/verify/control.ts'
import { perThing } from '../../src/simulation/trees.ts'
import type { ReadLog } from '../../src/workers/logs.ts'
import { sabotage } from '../../src/workers/mutate/sabotage.ts'
import type { Survey } from '../../src/workers/surveys.ts'
import { readTestLog, type LogOptions } from '../../src/workers/testlog/index.ts'
import type { SimulatedPlace } from './simulate.ts'

const sandboxFaults: [Chance, SandboxFault][] = [['sandboxLost', 'lost'], ['sandboxHang', 'hang'], ['sandboxFull', 'full'], ['sandboxMemory', 'memory'], ['sandboxSlow', 'slow']]
/** Cores of a machine, and sandboxes that start on it at a time. */
const cores = 4
const starts = 2
const kills: ReadonlySet<SandboxFault> = new Set(['hang', 'memory'])
/**
 * After a run of tests or a parser was killed none is for so long: nobody can tell a machine that kills every run of a script from a
 * script that deserves it.
 */
const sparedMs = 300_000

/** The same run prints the same bytes: they are read once. */
const readingOf = perThing((log: Uint8Array, options) => readTestLog(log, JSON.parse(options) as LogOptions))
const readLog: ReadLog = async (log, options) => readingOf(log, JSON.stringify(options))

/** Without a thread, whose time is real; the grammar is loaded before a simulation begins. */
export const sabotaged: Sabotage = async (path, text, mode) => sabotage(path, text, mode)
/** Bugs of the simulation change numbers: there is nothing to find. */
const survey: Survey = async () => []

export function openPlace (): SimulatedPlace {
  const machines: SimulatedMachine[] = []
  return {
    open: target => simulatedArena(Number(target.split('-')[1])),
    sandboxes: () => machines.flatMap(machine => machine.alive()),
    portsOf ({ fates }, name) {
      const machine = createSimulatedMachine({ name })
      machines.push(machine)
      return ({ host: { name: owner, clock }, random, bus }) => {
        let sparedUntil = 0
        const strike: SandboxStrike = (_operation, _label, command) => {
          const isJudged = command === 'test' || command === 'parse'
          const isSpared = isJudged && clock.now() < sparedUntil
          const fault = sandboxFaults.find(([chance, fault]) => !(isSpared && kills.has(fault)) && fates.strikes(chance))?.[1] ?? null
          if (isJudged && fault !== null && kills.has(fault)) sparedUntil = clock.now() + sparedMs
          return fault
        }
        const sandboxes = limitStarts(superviseSandboxes(machine.connect({ owner, clock, random: random.fork('sandboxes'), strike }), { clock }), starts)
        // Its clock ends with the process, and so does what it follows.
        const never = new AbortController().signal
        void sandboxes.reap().then(() => keepReaping(sandboxes, clock, reapMsDefault, never))
        const served = followPolicies(bus, () => {}, never)
        const policy = createSimulatedPolicy({
          name: 'policy', clock, random: random.fork('policy'), versions: served.of('policy', { current: () => 'step-0' }),
          strike: () => fates.strikes('policyError') ? 'error' : fates.strikes('policyHang') ? 'hang' : fates.strikes('policySlow') ? 'slow' : null
        })
        return { close: () => sandboxes.close(), ports: {
          sandboxes, policiesOf: async () => ({ breaker: policy, solver: policy }),
          verify: { sandboxes, cores: createLimiter(cores), cleanRuns: createCleanRunCache(), controls: createControls(sabotaged), readLog, survey, clock }
        } }
      }
    }
  }
}
