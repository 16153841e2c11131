// Serves what lives in this process over the bridge. A watcher that takes nothing holds up nobody: the next look is made when it has
// taken the last one, and what changed meanwhile is one change.

import type { BridgeServer } from '../bridge/server.ts'
import type { HandlersOf } from '../bridge/services.ts'
import type { Clock } from '../ports.ts'
import { badAction, notFound, toBridge } from './failure.ts'
import { inspectLimits, type InspectLimits } from './limits.ts'
import type { Action, MachineView } from './protocol.ts'
import type { Registry } from './registry.ts'
import { liveRollout } from './live-rollout.ts'
import { sampleActor, sampleActors, type Sampler } from './sampler.ts'
import { inspectService, type InspectMethods, type Update } from './service.ts'
import { readTopic } from './topic.ts'

export interface Inspected {
  registry: Registry
  machines: () => MachineView[]
  clock: Clock
  /** Drains the node; null where there is none to drain. */
  drain: (() => void) | null
  limits?: Partial<InspectLimits>
}

/** Serves until the server is destroyed. */
export const serveInspect = async (server: BridgeServer, inspected: Inspected): Promise<void> =>
  await server.serve(inspectService(inspected.registry.node), handlersOf(inspected))

function handlersOf (inspected: Inspected): HandlersOf<InspectMethods> {
  const { registry, machines } = inspected
  const limits = { ...inspectLimits, ...inspected.limits }
  let watchers = 0
  return {
    machines: () => machines(),
    async * watch ({ topic }, { signal }) {
      if (watchers >= limits.watchersMax) throw toBridge(badAction(`${watchers} watch this node already (watchersMax)`))
      watchers++
      try {
        yield * updates(topic, inspected, limits, signal)
      } catch (error) {
        throw toBridge(error)
      } finally { watchers-- }
    },
    act (action) {
      try {
        act(action, inspected)
        return null
      } catch (error) {
        throw toBridge(error)
      }
    }
  }

  function act (action: Action, { drain }: Inspected): void {
    if (action.do === 'drain' && action.node === registry.node && drain !== null) return drain()
    if (action.do !== 'send') throw badAction(`the node ${registry.node} does not take "${action.do}"`)
    const entry = registry.get(action.actor)
    if (entry === null) throw notFound(`the actor ${action.actor}`)
    const acts = entry.status === 'active' && entry.snapshot !== null ? entry.look.acts(entry.snapshot) : []
    if (!acts.includes(action.event)) throw badAction(`${action.actor} takes no "${action.event}" as it is now; it takes ${acts.join(', ') || 'nothing by hand'}`)
    entry.look.send(entry.subject, action.event)
  }
}

async function * updates (topic: string, { registry, clock }: Inspected, limits: InspectLimits, signal: AbortSignal): AsyncGenerator<Update> {
  const read = readTopic(topic)
  if (read.kind === 'rollout') return yield * liveRollout(registry, read, { clock, limits, signal })
  const entry = read.kind === 'actor' ? registry.get(read.key) : null
  if (read.kind !== 'actors' && entry === null) throw notFound(`${topic} on ${registry.node}`)
  const sampler: Sampler<unknown, unknown> = entry === null ? sampleActors(registry, limits) : sampleActor(entry, limits)
  const leave = entry?.watch()
  try {
    yield { full: sampler.full() }
    let spentMs = 0
    while (!signal.aborted) {
      await clock.sleep(Math.min(limits.restMsMax, Math.max(limits.everyMs, spentMs / limits.lookShare)), signal).catch(() => {})
      if (signal.aborted) return
      const before = performance.now()
      const change = sampler.next()
      // It is written before the next is asked for, unless its reader has taken too little: that is no work.
      const lookMs = performance.now() - before
      if (change !== null) yield { change }
      spentMs = Math.min(performance.now() - before, 3 * lookMs)
    }
  } finally { leave?.() }
}
