// Makes actors known to the registry (src/inspect/registry.ts): one place that knows how XState's snapshots are read. XState's own
// `inspect` option costs half of the throughput; a subscriber that keeps a reference costs next to nothing, and events are heard only
// while somebody looks at that actor.

import type { AnyActorRef, AnyMachineSnapshot, InspectedEventEvent } from 'xstate'
import type { About, Known, Look, Registry } from '../src/inspect/registry.ts'
import { episodeOfWork } from '../src/run/ids.ts'

/** Names of what actors stand for: a parent is found by its name, whoever made it. */
export const names = {
  node: (node: string): string => `node/${node}`,
  slot: (slot: string): string => `slot/${slot}`,
  run: (run: string): string => `run/${run}`,
  episode: (run: string, episode: string): string => `episode/${run}/${episode}`,
  work: (run: string, work: string): string => `work/${run}/${work}`,
  rollout: (run: string, rollout: string): string => `rollout/${run}/${rollout}`,
  verifier: (run: string, bug: string): string => `verifier/${run}/${bug}`
}

const nobody = { run: null, episode: null, rollout: null, work: null }

/** What is known of a piece of work by its run and its id. */
export const aboutWork = (run: string, work: string): Pick<About, 'run' | 'episode' | 'rollout' | 'work'> =>
  ({ run, episode: episodeOfWork(work), rollout: /\.(break|solve)\b/.test(work) ? work : null, work })

export const about = (machine: string, id: string, name: string, within: string, more: Partial<About> = {}): About => ({ ...nobody, machine, id, name, within, ...more })

/** What may be sent by hand, where the machine takes it as it is now. The rest of its events are for machines to send. */
const byHand: Record<string, string[]> = {
  node: ['node.drain'], slot: ['slot.drain'], run: ['run.pause', 'run.resume', 'run.step'], episode: ['episode.cancel'],
  breaker: ['rollout.cancel'], solver: ['rollout.cancel'], verifier: ['verifier.cancel']
}

const machineLook: Look = {
  state: snapshot => pathsOf((snapshot as AnyMachineSnapshot).value).join(' '),
  tags: snapshot => [...(snapshot as AnyMachineSnapshot).tags],
  context: snapshot => (snapshot as AnyMachineSnapshot).context as unknown,
  children: snapshot => (Object.values((snapshot as AnyMachineSnapshot).children) as AnyActorRef[]).map(childOf),
  acts: snapshot => (byHand[(snapshot as AnyMachineSnapshot).machine.id] ?? []).filter(type => (snapshot as AnyMachineSnapshot).can({ type } as never)),
  now: subject => (subject as AnyActorRef).getSnapshot(),
  follow (subject, take) {
    const subscription = (subject as AnyActorRef).subscribe({ next: take, error: () => {} })
    return () => subscription.unsubscribe()
  },
  hear (subject, take) {
    const subscription = (subject as AnyActorRef).system.inspect({ next: event => {
      if (event.type === '@xstate.event' && event.actorRef === subject) take((event as InspectedEventEvent).event, ((event as InspectedEventEvent).sourceRef as AnyActorRef | undefined)?.id ?? null)
    } })
    return () => subscription.unsubscribe()
  },
  send: (subject, event) => (subject as AnyActorRef).send({ type: event } as never)
}

const childOf = (child: AnyActorRef): { id: string; status: string } =>
  ({ id: child.id, status: (child.getSnapshot() as { status?: string } | undefined)?.status ?? 'active' })

/** `attending.serving` for `{ attending: 'serving' }`; several for a parallel state. */
export function pathsOf (value: unknown, above = ''): string[] {
  if (typeof value === 'string') return [above === '' ? value : `${above}.${value}`]
  return Object.entries(value as Record<string, unknown>).flatMap(([key, below]) => {
    const path = above === '' ? key : `${above}.${key}`
    const paths = pathsOf(below, path)
    return paths.length === 0 ? [path] : paths
  })
}

/** Before the actor starts, or at any time after. */
export function observe (registry: Registry | undefined, actor: AnyActorRef, about: About): Known | null {
  if (registry === undefined) return null
  const known = registry.enter(about, machineLook, actor)
  known.seen(actor.getSnapshot())
  actor.subscribe({
    ...known.isAsked ? {} : { next: (snapshot: unknown) => known.seen(snapshot) },
    error: error => known.ended('failed', error instanceof Error ? error.message : String(error)),
    complete: () => known.ended((actor.getSnapshot() as { status: string }).status === 'done' ? 'done' : 'stopped')
  })
  return known
}

/** Children of a machine that are machines themselves, as they come. */
export function observeChildren (registry: Registry | undefined, actor: AnyActorRef, aboutOf: (id: string) => About | null): void {
  if (registry === undefined) return
  const seen = new WeakSet<object>()
  actor.subscribe({
    next: snapshot => {
      for (const [id, child] of Object.entries((snapshot as AnyMachineSnapshot).children as Record<string, AnyActorRef>)) {
        if (seen.has(child)) continue
        seen.add(child)
        const about = aboutOf(id)
        if (about !== null) observe(registry, child, about)
      }
    },
    error: () => {}
  })
}

/** A piece of work is no machine: it is at it, or it has ended. */
const workLook: Look = {
  state: snapshot => (snapshot as WorkSnapshot).state, tags: () => [], context: snapshot => snapshot, children: () => [], acts: () => [], now: subject => (subject as { snapshot: WorkSnapshot }).snapshot, follow: () => () => {}, hear: () => () => {}, send () {}
}
interface WorkSnapshot { state: string; delivery: number }

/** Does the work while it is known, within whoever does it. */
export async function observeWork<Result> (registry: Registry | undefined, { run, id, delivery, within, faultOf }: { run: string; id: string; delivery: number; within: string; /** What a result says of a failure; null: it is none. */ faultOf?: (result: Result) => string | null }, work: () => Promise<Result>): Promise<Result> {
  if (registry === undefined) return await work()
  const now: { snapshot: WorkSnapshot } = { snapshot: { state: 'working', delivery } }
  const known = registry.enter(about('work', id, names.work(run, id), within, aboutWork(run, id)), workLook, now)
  const say = (state: string): void => {
    now.snapshot = { state, delivery }
    known.seen(now.snapshot)
  }
  known.seen(now.snapshot)
  try {
    const result = await work()
    const fault = faultOf?.(result) ?? null
    say(fault === null ? 'done' : 'failed')
    known.ended(fault === null ? 'done' : 'failed', fault ?? '')
    return result
  } catch (error) {
    known.ended('failed', error instanceof Error ? error.message : String(error))
    throw error
  }
}
