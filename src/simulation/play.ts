// What the plays of the simulated policy are made of.

import type { Observation, Reply, ToolCall } from '../domain.ts'
import type { Random } from '../ports.ts'

/** A play: what it says, turn by turn, for what it is shown. What it returns ends it. */
export type Play<Result = Reply> = Generator<Reply, Result, Observation>

export const says = (text: string, call: ToolCall): Reply => ({ text, call, fault: null })
export const givesUp = (reason: string): Reply => ({ text: reason, call: null, fault: reason, ends: true })
export const babbles: Reply = { text: 'Let me think about it.', call: null, fault: 'the reply held no tool call' }

/** Of the same call, where it did not come to anything: a command may have been killed by no fault of its own. */
const triesMax = 8

/** Says the same until it is done. */
export function * insists (text: string, call: ToolCall): Play<Observation> {
  for (let tries = 1; ; tries++) {
    const seen = yield says(text, call)
    if (seen.exitCode === 0 || tries === triesMax) return seen
  }
}

/** By weight. */
export function drawPlan<Plan extends string> (plans: Readonly<Record<Plan, { weight: number }>>, random: Random): Plan {
  const all = Object.entries(plans) as [Plan, { weight: number }][]
  let point = random.int(all.reduce((sum, [, { weight }]) => sum + weight, 0))
  return all.find(([, { weight }]) => (point -= weight) < 0)![0]
}
