// What is looked at: a cluster over its bus, this process, or folders of runs.

import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { machineViews } from '../../actors/definitions.ts'
import type { PlayingRun } from '../../actors/system.ts'
import type { QueueEvent } from '../bus/memory-queue.ts'
import type { Bus, QueueKind } from '../bus/types.ts'
import { changeDocument, type RunState } from '../cluster/document.ts'
import { anyArena } from '../cluster/keys.ts'
import { listPolicies } from '../cluster/policy-versions.ts'
import { listNodes } from '../cluster/presence.ts'
import { createRetry } from '../cluster/retry.ts'
import { systemClock } from '../clock.ts'
import { SparError } from '../errors.ts'
import { badAction } from '../inspect/failure.ts'
import { busNodes, ownNode } from '../inspect/nodes.ts'
import type { NodeRow, QueueRow, RunVerb } from '../inspect/protocol.ts'
import { busReaders } from '../inspect/records/bus.ts'
import { folderReaders } from '../inspect/records/folder.ts'
import type { Registry } from '../inspect/registry.ts'
import type { Source } from '../inspect/source.ts'
import { readTrace } from '../inspect/trace-file.ts'
import { traceSource } from '../inspect/trace-source.ts'
import type { Policies } from './policies.ts'
import type { RunStore } from '../store/run.ts'
import { createOwnSource } from './inspect-options.ts'
import { openBus, type NatsValues } from './nats-options.ts'
import { version } from './version.ts'

export const folderSource = (dirs: readonly string[]): Source => createOwnSource({
  kind: 'folder', nodes: null, readers: folderReaders(dirs.map(dir => resolve(dir))), runs: null, around: async () => ({ queues: [], policies: [] })
})

const steps: Record<RunVerb, { to: RunState; from: RunState[] }> = {
  pause: { to: 'paused', from: ['running'] }, resume: { to: 'running', from: ['paused'] }, cancel: { to: 'cancelled', from: ['running', 'paused'] }
}
/** Arenas whose queues are counted. */
const arenasMax = 20

/** The bus stays open when the source is closed. */
export function clusterSource (bus: Bus): Source {
  return createOwnSource({
    kind: 'cluster', nodes: busNodes(bus, systemClock),
    readers: busReaders({ bus, clock: systemClock, retry: createRetry(systemClock, { retryMsMin: 100, retryMsMax: 1_000, retryForMs: 10_000 }) }),
    runs: {
      verbs: ['pause', 'resume', 'cancel'],
      async change (run, verb) {
        const { to, from } = steps[verb]
        const { state } = await changeDocument(bus, run, document => from.includes(document.state) ? { ...document, state: to, reason: verb === 'cancel' ? 'cancelled by its user' : '' } : null)
        if (state !== to) throw badAction(`the run ${run} is ${state}`)
      }
    },
    around: async () => ({ queues: await queuesOf(bus), policies: await listPolicies(bus).catch(() => []) })
  })
}

async function queuesOf (bus: Bus): Promise<QueueRow[]> {
  const arenas = [...new Set((await listNodes(bus)).flatMap(({ arenas }) => arenas))].slice(0, arenasMax)
  const depth = async (kind: QueueKind, places: readonly string[]): Promise<QueueRow> => {
    const depths = await Promise.all(places.map(place => bus.queue.depth(kind, place).catch(() => ({ waiting: 0, taken: 0 }))))
    return { kind, waiting: depths.reduce((sum, { waiting }) => sum + waiting, 0), taken: depths.reduce((sum, { taken }) => sum + taken, 0) }
  }
  return await Promise.all([depth('run', [anyArena]), depth('episode', [anyArena]), depth('rollout', arenas), depth('verify', arenas), depth('grade', arenas)])
}

/** A trace, folders of runs, or else the cluster on the bus of the options, which is closed with its source. Throws OPTION_INVALID, and what `openBus` and `readTrace` throw. */
export async function openSource (values: NatsValues & { run?: string[] | undefined; trace?: string | undefined }, name: string, onStatus?: (status: string, detail: string) => void): Promise<Source> {
  if (values.trace !== undefined) {
    if (values.run !== undefined || values.nats !== undefined) throw new SparError('OPTION_INVALID', 'Cannot look at a trace together with a run or a cluster: give --trace, --run or --nats')
    return traceSource(await readTrace(values.trace))
  }
  if (values.run === undefined) {
    const bus = await openBus(values, name, onStatus)
    const source = clusterSource(bus)
    return { ...source, async close () { await source.close().finally(() => bus.close()) } }
  }
  if (values.nats !== undefined) throw new SparError('OPTION_INVALID', 'Cannot look at folders and at a cluster together: give --run or --nats')
  return folderSource(values.run)
}

/** Work of a process's own queue, counted as it goes by. */
export interface WorkCount { onQueue (event: QueueEvent): void; now (): { waiting: number; busy: number; done: number } }

export function countWork (): WorkCount {
  let [dispatched, done] = [0, 0]
  const busy = new Set<string>()
  return {
    onQueue (event) {
      if (event.type === 'dispatched') dispatched++
      if (event.type === 'started') busy.add(event.work.id)
      if (event.type === 'redelivered' || event.type === 'ended') busy.delete(event.work.id)
      if (event.type === 'ended') done++
    },
    now: () => ({ waiting: dispatched - done - busy.size, busy: busy.size, done })
  }
}

export interface PlayingProcess { store: RunStore; registry: Registry; playing: () => PlayingRun; policies: Policies; jobs: number; work: WorkCount }

/** `spar play`. */
export async function processSource ({ store, registry, playing, policies, jobs, work }: PlayingProcess): Promise<Source> {
  const startedAt = systemClock.now()
  const isPaused = (): boolean => (registry.named(`run/${store.run}`)?.snapshot as { context?: { paused?: boolean } } | undefined)?.context?.paused === true
  const describe = (): NodeRow => {
    const { busy, done } = work.now()
    return {
      node: registry.node, host: hostname(), pid: process.pid, version: version(), state: 'serving', labels: {}, slots: [{ kind: 'work', total: jobs, busy, done }], arenas: [store.file().arena.id], refusals: [],
      delivered: {}, actors: null, startedAt, seenAt: systemClock.now()
    }
  }
  return createOwnSource({
    kind: 'process',
    nodes: await ownNode({ registry, machines: machineViews, clock: systemClock, drain: null }, describe),
    readers: folderReaders([store.dir], () => isPaused() ? 'paused' : 'running'),
    runs: { verbs: ['pause', 'resume'], change: async (_, verb) => { if (verb === 'pause') playing().pause(); else playing().resume() } },
    around: async () => {
      const { waiting, busy } = work.now()
      return { queues: [{ kind: 'work', waiting, taken: busy }], policies: [policies.breaker, policies.solver].filter(({ name }, index, all) => all.findIndex(other => other.name === name) === index).map(({ name, version }) => ({ model: name, version, at: null })) }
    }
  })
}
