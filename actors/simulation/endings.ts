// What is looked at while a simulated cluster is at work, and how it comes to rest: everything has a bound.

import { anyArena } from '../../src/cluster/keys.ts'
import { clusterLimits } from '../../src/cluster/limits.ts'
import type { PutBack, Say } from '../../src/simulation/checks/types.ts'
import type { Training } from './events.ts'
import type { SimulatedNode } from './node.ts'
import type { SimulatedRun } from './runs.ts'
import type { SimulatedPlace } from './simulate.ts'
import type { World } from './world.ts'

/** Time that a run has without faults, milliseconds: a piece of work may wait for a policy that hangs, four times over. */
export const livenessMs = (episodes: number): number => 3_600_000 + 30_000 * episodes
/** From being told to drain to having left. */
export const drainMs = 30_000
const leaveMs = drainMs + clusterLimits.abortMs + 60_000
/** How long a sandbox may outlive the work that it was for. */
const sandboxMs = 120_000

/** How often it is looked whether anything holds more than it may. */
const limitsLookMs = 10_000

export function watchLimits ({ time, inner, arenasMax }: World, nodes: readonly SimulatedNode[], runs: readonly SimulatedRun[], putBack: PutBack, say: Say, signal: AbortSignal): void {
  const inFlight = runs.reduce((sum, { document }) => sum + document.inFlight, 0)
  const look = async (): Promise<void> => {
    for (const { life } of nodes) {
      if (life === null || life.host.state !== 'up' || life.endedAt !== null) continue
      const { slots, arenas, node } = life.node.presence()
      for (const [kind, { busy, total }] of Object.entries(slots)) if (busy > total) say('limits', `${node} is at ${busy} pieces of work in its ${total} slots for ${kind}`)
      if (arenas.length > arenasMax) say('limits', `${node} holds ${arenas.length} arenas, arenasMax is ${arenasMax}`)
    }
    const { waiting, taken } = await inner.queue.depth('episode', anyArena)
    // A leader that was paused may put one more beside each of the next one's, and users put theirs back at once.
    if (waiting + taken > 2 * inFlight + putBack.times) say('limits', `${waiting + taken} episodes are on the queue, inFlight of all runs is ${inFlight}, and ${putBack.times} were put back`)
    if (!signal.aborted) time.at(time.now() + limitsLookMs, () => void look())
  }
  void look()
}

const areIdle = (nodes: readonly SimulatedNode[]): boolean => nodes.every(({ life }) => life === null || Object.values(life.node.presence().slots).every(({ busy }) => busy === 0))

/** After the last piece of work, which may be of a run that has ended long ago, no sandbox stays. */
export async function checkIdle ({ time }: World, nodes: readonly SimulatedNode[], place: SimulatedPlace, say: Say): Promise<void> {
  const isIdle = (): boolean => areIdle(nodes)
  if (await time.run(isIdle, time.now() + livenessMs(0)) !== 'over') return say('liveness', 'a node is still at work an hour after the run has ended')
  await time.run(() => false, time.now() + sandboxMs)
  if (isIdle()) for (const { id, owner } of place.sandboxes()) say('sandboxes', `the sandbox ${id} of ${owner} is still there ${sandboxMs} ms after the last piece of work`)
}

export async function drainAll ({ time }: World, nodes: readonly SimulatedNode[], say: Say): Promise<void> {
  for (const { life } of nodes) if (life !== null && life.endedAt === null) life.node.drain()
  const haveLeft = (): boolean => nodes.every(({ life }) => life === null || life.endedAt !== null)
  if (await time.run(haveLeft, time.now() + leaveMs) === 'over') return
  for (const { life } of nodes) if (life !== null && life.endedAt === null) say('liveness', `${life.host.name} has not left ${leaveMs} ms after it was told to drain`)
}

export async function checkTrainer ({ time, inner }: World, training: Training, say: Say): Promise<void> {
  const missing = new Set<string>()
  const known = new AbortController()
  for await (const entry of inner.log.samples.follow('', known.signal)) {
    if (entry === null) known.abort()
    else missing.add(entry.key)
  }
  const isLearned = (): boolean => {
    for (const key of missing) if (training.learned.has(key)) missing.delete(key)
    return missing.size === 0
  }
  if (await time.run(isLearned, time.now() + 3_600_000) !== 'over') say('samples', `${missing.size} samples never reached the trainer, ${[...missing][0]} is one`)
}
