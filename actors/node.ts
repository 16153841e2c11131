// The composition root of one node: bus, arenas, runs and slots become one actor that takes work until it is told to drain.

import { createActor, fromPromise } from 'xstate'
import { node, type NodeOutcome } from '../machines/node.ts'
import { slot } from '../machines/slot.ts'
import type { Bus, QueueKind } from '../src/bus/types.ts'
import { createHeldArenas, type OpenArena } from '../src/cluster/arenas.ts'
import { createEndings } from '../src/cluster/endings.ts'
import { createHolder } from '../src/cluster/holder.ts'
import { clusterLimits, type Slots } from '../src/cluster/limits.ts'
import { anyArena } from '../src/cluster/keys.ts'
import type { Clock } from '../src/ports.ts'
import { attendPresence, type NodePresence } from '../src/cluster/presence.ts'
import { createRecords } from '../src/cluster/records.ts'
import type { NodeReport } from '../src/cluster/report.ts'
import { createRetry } from '../src/cluster/retry.ts'
import { createRotation, type Place } from '../src/cluster/rotation.ts'
import { createRuns } from '../src/cluster/runs.ts'
import { createSlotWork, type SlotGroup } from './cluster/slots.ts'
import type { NodePorts, NodeSystem } from './cluster/types.ts'
import { about as aboutActor, names, observe, observeChildren } from './observe.ts'
import { timersOf } from './timers.ts'

export interface NodeOptions {
  nodeId: string
  bus: Bus
  ports: NodePorts
  open: OpenArena
  slots: Slots
  drainMs: number
  about: Pick<NodePresence, 'host' | 'pid' | 'version' | 'labels'>
  limits?: Partial<typeof clusterLimits>
  onEvent?: (event: NodeReport) => void
}

export interface RunningNode {
  readonly nodeId: string
  /** Resolves when it takes work; rejects when it could not join. */
  ready: Promise<void>
  ended: Promise<NodeOutcome>
  drain (): void
  presence (): NodePresence
  readonly isReady: boolean
}

export function startNode (options: NodeOptions): RunningNode {
  const { nodeId, bus, ports, slots, drainMs, about, onEvent = () => {} } = options
  const limits = { ...clusterLimits, ...options.limits }
  const retry = createRetry(ports.clock, limits)
  const endings = createEndings(limits.endingsBytesMax)
  const { metrics } = ports
  const runs = createRuns(bus, { onFault: (code, reason) => onEvent({ type: 'fault', code, reason }), onRemoved: run => { endings.forget(run); metrics?.forgetRun(run) } })
  const aborting = new AbortController()
  const over = new AbortController()
  const groups = slotGroups(slots, ports.clock, limits)
  const arenas = createHeldArenas({ node: nodeId, bus, retry, runs, clock: ports.clock, open: options.open, limits, onChange: () => {
    for (const group of groups) group.rotation.setPlaces(placesOf(group, arenas.ids()))
    onEvent({ type: 'arenas', held: arenas.ids(), refusals: arenas.refusals() })
  } })
  for (const group of groups) group.rotation.setPlaces(placesOf(group, []))
  const system: NodeSystem = { nodeId, bus, retry, records: createRecords(bus, retry, endings, metrics && ((run, state) => metrics.add('spar_ledger_total', { run, state }))), holder: createHolder(ports.clock, bus.queue.ackWaitMs, over.signal), runs, arenas, waits: new Map(), ports, limits, aborting: aborting.signal }
  const work = createSlotWork(system, groups, onEvent)
  const startedAt = ports.clock.now()
  const following = runs.follow(over.signal)

  const presence = (): NodePresence => ({
    node: nodeId, ...about, state: stateOf(), slots: Object.fromEntries(groups.map(({ name, total, busy, done }) => [name, { total, busy, done }])),
    arenas: arenas.ids(), refusals: arenas.refusals(), delivered: work.delivered(), waits: [...system.waits.values()], startedAt, at: ports.clock.now()
  })

  const actor = createActor(node.provide({
    actors: {
      slot: slot.provide({ actors: {
        pull: fromPromise<boolean, { slotId: string }>(({ input, signal }) => work.pull(input.slotId, signal)),
        work: fromPromise<void, { slotId: string }>(({ input }) => work.work(input.slotId))
      } }),
      join: fromPromise<void, { nodeId: string }>(async () => {
        await following.ready
        onEvent({ type: 'joined' })
      }),
      attend: fromPromise<void, { nodeId: string }>(async ({ signal }) => {
        await Promise.race([following.ended, arenas.attend(signal), attendPresence(bus, ports.clock, limits.heartbeatMs, presence, signal)])
      }),
      leave: fromPromise<void, { nodeId: string }>(async () => { await bus.kv.nodes.remove(nodeId) })
    }
  }), { id: nodeId, clock: timersOf(ports.clock), input: { nodeId, drainMs, abortMs: limits.abortMs, slots: groups.flatMap(({ ids }) => ids.map(slotId => ({ slotId, restMs: limits.retryMsMin, restMsMax: limits.retryMsMax }))) } })

  observe(ports.registry, actor, aboutActor('node', nodeId, names.node(nodeId), ''))
  observeChildren(ports.registry, actor, id => id.startsWith('slot.') ? aboutActor('slot', id.slice('slot.'.length), names.slot(id.slice('slot.'.length)), names.node(nodeId)) : null)
  const stateOf = (): string => {
    const { value } = actor.getSnapshot()
    return typeof value === 'string' ? value : Object.values(value)[0]!
  }
  const ended = new Promise<NodeOutcome>((resolve, reject) => {
    actor.subscribe({
      next: snapshot => {
        if (snapshot.context.aborted && !aborting.signal.aborted) {
          onEvent({ type: 'aborting' })
          aborting.abort()
        }
        if (snapshot.status === 'done') resolve(snapshot.output)
      },
      error: reject
    })
  }).finally(() => over.abort())
  const ready = new Promise<void>((resolve, reject) => {
    actor.subscribe(snapshot => {
      if (snapshot.hasTag('ready')) resolve()
      if (snapshot.status === 'done') reject(new Error(`node ${nodeId} ended before it was ready`))
    })
  })
  ready.catch(() => {})
  actor.start()
  return {
    nodeId, ready, ended, presence,
    drain: () => { onEvent({ type: 'draining' }); actor.send({ type: 'node.drain' }) },
    get isReady () { return actor.getSnapshot().hasTag('ready') && bus.isConnected }
  }
}

/** Which kinds a group of slots takes, and how many slots it has. Sandboxes that start are bounded elsewhere (`start`). */
function slotGroups ({ run, verify, grade, own }: Slots, clock: Clock, limits: typeof clusterLimits): SlotGroup[] {
  const group = (name: string, kinds: QueueKind[], total: number): SlotGroup =>
    ({ name, kinds, total, busy: 0, done: 0, ids: Array.from({ length: total }, (_, index) => `${name}.${index}`), rotation: createRotation(() => clock.now(), limits) })
  return [group('run', ['rollout'], run), group('verify', ['verify'], verify), group('grade', ['grade'], grade), group('own', ['episode'], own), group('lead', ['run'], Math.min(own, 4))]
}

const placesOf = ({ kinds }: SlotGroup, arenas: readonly string[]): Place[] =>
  kinds.flatMap((kind): Place[] => kind === 'episode' || kind === 'run' ? [{ kind, arena: anyArena }] : arenas.map(arena => ({ kind, arena })))
