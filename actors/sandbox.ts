// Sandboxes under supervision: the port's sandboxes, each with the machine of its life. Opening is tried again where that
// can help, a sandbox that nobody uses is closed, and one that was lost answers nothing any more.

import { createActor, fromPromise, waitFor, type AnyActorRef } from 'xstate'
import { sandbox as machine, type SandboxInput } from '../machines/sandbox.ts'
import { underAny } from '../src/bus/abort.ts'
import { systemClock } from '../src/clock.ts'
import { SparError } from '../src/errors.ts'
import type { Registry } from '../src/inspect/registry.ts'
import type { Clock, Sandbox, Sandboxes, SandboxSpec } from '../src/ports.ts'
import { about, aboutWork, names, observe } from './observe.ts'
import { timersOf } from './timers.ts'

interface Supervising { supervision?: SandboxInput; registry?: Registry | undefined; clock?: Clock }

export const sandboxSupervision: SandboxInput = { opensMax: 3, openMsMax: 120_000, backoffMs: 200, idleMsMax: 30 * 60_000 }

export function superviseSandboxes (sandboxes: Sandboxes, { supervision = sandboxSupervision, registry, clock = systemClock }: Supervising = {}): Sandboxes {
  return { kind: sandboxes.kind, reap: () => sandboxes.reap(), close: () => sandboxes.close(), open: (spec, signal) => open(sandboxes, spec, { supervision, registry, clock }, signal) }
}

/** Sandboxes for a piece of work whose rollout is not their purpose: they are known below it. */
export const sandboxesOf = (sandboxes: Pick<Sandboxes, 'open'>, work: string): Pick<Sandboxes, 'open'> =>
  ({ open: (spec, signal) => sandboxes.open({ ...spec, label: { ...spec.label, work } }, signal) })

interface Life { inner: Sandbox | null; open (left: AbortSignal): Promise<Sandbox> }

/** What a machine stands for, by its actor system: a machine's context is no place for handles. */
const lives = new WeakMap<AnyActorRef['system'], Life>()

/** Filled once: a machine that is provided anew is built anew. */
const filled = machine.provide({
  actors: {
    open: fromPromise<void, void>(async ({ signal: left, system }) => {
      const life = lives.get(system)!
      const opened = await life.open(left)
      // The deadline may have passed in the meantime: nobody waits for this sandbox any more.
      if (left.aborted) await opened.destroy()
      else life.inner = opened
    }),
    close: fromPromise<void, void>(async ({ system }) => { await lives.get(system)!.inner?.destroy() })
  }
})

async function open (sandboxes: Sandboxes, spec: SandboxSpec, { supervision, registry, clock }: Required<Pick<Supervising, 'supervision' | 'clock'>> & Pick<Supervising, 'registry'>, signal?: AbortSignal): Promise<Sandbox> {
  const life: Life = { inner: null, open: async left => await underAny(signal ? [signal, left] : [left], either => sandboxes.open(spec, either)) }
  const actor = createActor(filled, { clock: timersOf(clock), input: supervision })
  lives.set(actor.system, life)
  const { run, purpose, work } = spec.label
  observe(registry, actor, about('sandbox', purpose, `sandbox/${run}/${purpose}`, work === undefined ? names.rollout(run, purpose) : names.work(run, work), aboutWork(run, work ?? purpose)))
  actor.start()
  const settled = await waitFor(actor, snapshot => snapshot.matches('ready') || snapshot.status === 'done', { timeout: Infinity })
  if (settled.status === 'done' || life.inner === null) {
    const { outcome } = settled.context
    const fault = outcome.kind === 'failed' ? outcome.fault : { code: 'SANDBOX_LOST', message: 'Cannot open a sandbox: it was closed', retryable: true }
    throw new SparError(fault.code, fault.message, { retryable: fault.retryable })
  }
  return supervised(life.inner, actor)
}

function supervised (inner: Sandbox, actor: ReturnType<typeof createActor<typeof machine>>): Sandbox {
  const use = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (!actor.getSnapshot().matches('ready') && !actor.getSnapshot().matches('busy')) {
      throw new SparError('SANDBOX_LOST', `Cannot use sandbox "${inner.id}": it is ${String(actor.getSnapshot().value)}`, { retryable: true })
    }
    actor.send({ type: 'sandbox.busy' })
    try {
      return await work()
    } catch (error) {
      if (error instanceof SparError && error.code === 'SANDBOX_LOST') actor.send({ type: 'sandbox.lost', reason: error.message })
      throw error
    } finally {
      actor.send({ type: 'sandbox.idle' })
    }
  }
  const { id, kind, isolation, tree, scratch } = inner
  return {
    id, kind, isolation, tree, scratch,
    exec: (command, options) => use(() => inner.exec(command, options)),
    readFile: (path, bytesMax) => use(() => inner.readFile(path, bytesMax)),
    writeFile: (path, bytes, mode) => use(() => inner.writeFile(path, bytes, mode)),
    ...(inner.room === undefined ? {} : { room: () => inner.room!() }),
    async destroy () {
      actor.send({ type: 'sandbox.close' })
      await waitFor(actor, snapshot => snapshot.status === 'done', { timeout: Infinity })
    }
  }
}
