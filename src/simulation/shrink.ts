// The least that still fails: faults are left out one after the other, then runs, episodes and nodes halved, as long as the same rule is broken.

import { faultsOf, without, type Chance, type FaultPlan, type Rate } from './faults.ts'
import type { Rule, Violation } from './checks/types.ts'

export interface Case { nodes: number; episodes: number; runs: number; plan: FaultPlan }
export interface Shrunk extends Case { left: (Chance | Rate)[]; tries: number; violations: Violation[] }

export interface ShrinkOptions {
  rule: Rule
  /** Plays a case with the seed that failed. */
  play: (one: Case) => Promise<Violation[]>
  triesMax?: number
}

/** Resolves to the failing case itself where nothing can be left out. */
export async function shrink (failing: Case, violations: Violation[], { rule, play, triesMax = 60 }: ShrinkOptions): Promise<Shrunk> {
  let least = failing
  let seen = violations
  let tries = 0
  const fails = async (one: Case): Promise<boolean> => {
    if (tries >= triesMax) return false
    tries++
    const found = await play(one)
    if (!found.some(violation => violation.rule === rule)) return false
    least = one
    seen = found
    return true
  }
  for (const fault of faultsOf(failing.plan)) await fails({ ...least, plan: without(least.plan, fault) })
  for (const what of ['runs', 'episodes', 'nodes'] as const) {
    const floor = what === 'episodes' ? least.runs : 1
    while (least[what] > floor && await fails({ ...least, [what]: Math.max(floor, Math.ceil(least[what] / 2)) })) {}
    while (least[what] > floor && await fails({ ...least, [what]: least[what] - 1 })) {}
  }
  return { ...least, left: faultsOf(least.plan), tries, violations: seen }
}
