// A run of the cluster as a task: whoever takes its message leads it: keeps its episodes in flight, pauses and resumes, and ends
// it. The leader keeps nothing to itself: what is settled stands in the records, so that the next one goes on from there.

import { linked, onAbort } from '../../src/bus/abort.ts'
import { followed, type Followed } from '../../src/bus/now.ts'
import type { QueueMessage } from '../../src/bus/types.ts'
import type { Task } from '../../src/cluster/deliver.ts'
import { changeDocument, getDocument, isFinal, type RunDocument } from '../../src/cluster/document.ts'
import { anyArena, ledKinds, settledPrefix } from '../../src/cluster/keys.ts'
import { createRounds, type Rounds } from '../../src/cluster/ahead.ts'
import { cancelRest, removeSnapshots } from '../../src/cluster/cancel.ts'
import { createOutcomes, outcomesOf } from '../../src/cluster/outcomes.ts'
import { waitForTrainer } from '../../src/cluster/wait-for-trainer.ts'
import { SparError } from '../../src/errors.ts'
import { episodeIdOf, numberOfWork } from '../../src/run/draw.ts'
import { names } from '../observe.ts'
import { runActor, type RunActor } from '../run.ts'
import type { NodeSystem } from './types.ts'

export function leadTask (system: NodeSystem, message: QueueMessage): Task {
  const { bus, retry, runs } = system
  const { run } = message.subject
  const end = async (state: 'done' | 'failed', reason = ''): Promise<void> => {
    await retry(() => changeDocument(bus, run, document => isFinal(document.state) ? null : { ...document, state, reason }))
  }
  return {
    // A long run outlives many nodes, and leading it takes none along.
    deliveriesMax: Infinity,
    isDone: async () => runs.get(run)?.state === 'done',
    async play (_delivery, signal) {
      const document = await runs.when(run, ({ arenas }) => arenas.every(({ opened }) => opened !== null), signal)
      const { controller: over, leave: leaveSignal } = linked([signal])
      const following = over.signal
      const rounds = createRounds(document.options)
      const settled = followSettled(system, run, following, { onSettled: rounds.settle, onBack: episode => playOnQueue(system, run, numberOfWork(episode), settled).catch(halt) })
      // What ended it, so that a bus that was away is told from a defect.
      let cause: unknown = null
      const noted = async (playing: Promise<void>): Promise<void> => {
        await playing.catch((error: unknown) => { cause ??= error; throw error })
      }
      const actor = runActor({
        run,
        episodes: document.options.episodes,
        inFlight: document.inFlight,
        waiting: document.trainer !== null,
        registry: system.ports.registry,
        within: names.work(run, message.subject.id),
        episode: number => noted(playOnQueue(system, run, number, settled)),
        summarise: () => noted(endRun())
      })
      // Work that is put back until the end is seen here; what is put back later finds that the run is done.
      async function endRun (): Promise<void> {
        for (;;) {
          await playReopened(system, run, following)
          // A server that crashed may bring back a message whose work has ended, and gives it to nobody any more.
          await retry(() => bus.queue.purge(run, ledKinds))
          await retry(() => removeSnapshots(bus, run))
          await playReopened(system, run, following)
          await end('done')
          if ((await outcomesOf(bus, run)).values.size >= document.options.episodes) return
          await retry(() => changeDocument(bus, run, document => document.state === 'done' ? { ...document, state: 'running' } : null))
        }
      }
      const leave = runs.listen(changed => { if (changed.name === run) steer(actor, changed.state) })
      const drain = (): void => actor.drain()
      signal.addEventListener('abort', drain)
      const halt = (error: unknown): void => {
        if (following.aborted) return
        cause ??= error
        actor.halt((error as Error).message)
      }
      settled.broken.catch(halt)
      waiting(system, document, { settled, rounds, actor }, following).catch(halt)
      try {
        const outcome = await actor.ended
        signal.throwIfAborted()
        if (outcome.kind === 'failed' || (outcome.kind === 'finished' && outcome.failed > 0)) throw cause ?? new SparError('RUN_LEAD_LOST', `Cannot lead the run ${run} on: ${outcome.reason}`, { retryable: true })
      } finally {
        signal.removeEventListener('abort', drain)
        leave()
        leaveSignal()
        over.abort()
        system.waits.delete(run)
      }
    },
    // Work of it may have been submitted again while its message was still there, which took no second one.
    acknowledged: async () => {
      const document = await retry(() => getDocument(bus, run))
      if (!isFinal(document.state)) await retry(() => bus.queue.add(message.subject, message.bytes))
    },
    cancel: async reason => await cancelRest(system, run, reason),
    quarantine: async ({ code, reason }) => {
      await end('failed', `${reason} [${code}]`)
      await cancelRest(system, run, `the run failed: ${reason}`)
    }
  }
}

function steer (actor: RunActor, state: string): void {
  if (state === 'paused') actor.pause()
  if (state === 'running') actor.resume()
  // A leader that was thought dead has led it to its end.
  if (state === 'done') actor.drain()
}

/** Lets a run with a trainer start episodes, or not. */
async function waiting (system: NodeSystem, document: RunDocument, { settled, rounds, actor }: { settled: Settled; rounds: Rounds; actor: RunActor }, signal: AbortSignal): Promise<void> {
  const { name: run, trainer } = document
  if (trainer === null) return
  await settled.ready
  await waitForTrainer({ ...system, clock: system.ports.clock }, { document: { ...document, trainer }, rounds, signal, onLook: wait => {
    if (wait === null) system.waits.delete(run)
    else system.waits.set(run, wait)
    if (wait === null) actor.go()
    else actor.wait()
  } })
}

interface Settled extends Followed { has (episode: string): boolean; when (episode: string): Promise<void> }

interface SettledHooks {
  /** Told of each episode once. */
  onSettled?: (episode: string) => void
  /** Told of one that had an outcome, and was put back. */
  onBack?: (episode: string) => void
}

/** Which episodes have an outcome. */
function followSettled ({ bus }: NodeSystem, run: string, signal: AbortSignal, { onSettled = () => {}, onBack = () => {} }: SettledHooks = {}): Settled {
  const outcomes = createOutcomes(() => null)
  const told = new Set<string>()
  const waiting = new Map<string, { settled: Promise<void>; settle: () => void }>()
  const following = followed(bus.log.records.follow(settledPrefix(run), signal), entry => {
    const change = outcomes.enter(entry)
    if (change === null) return
    const { episode } = change
    if (!change.isSettled) return onBack(episode)
    if (!told.has(episode)) onSettled(episode)
    told.add(episode)
    waiting.get(episode)?.settle()
    waiting.delete(episode)
  })
  return {
    ...following,
    has: episode => outcomes.values.has(episode),
    when (episode) {
      if (outcomes.values.has(episode)) return Promise.resolve()
      const known = waiting.get(episode)
      if (known !== undefined) return known.settled
      let settle!: () => void
      const settled = new Promise<void>((resolve, reject) => {
        const leave = onAbort([signal], () => reject(signal.reason as Error))
        settle = () => {
          leave()
          resolve()
        }
      })
      waiting.set(episode, { settled, settle })
      return settled
    }
  }
}

/** Episodes whose outcome was taken back while the run was led (work in quarantine that was submitted again). */
async function playReopened (system: NodeSystem, run: string, signal: AbortSignal): Promise<void> {
  const { options } = system.runs.get(run)!
  for (;;) {
    const { controller: over, leave } = linked([signal])
    try {
      const settled = followSettled(system, run, over.signal)
      await settled.ready
      const missing = Array.from({ length: options.episodes }, (_, index) => index + 1).filter(number => !settled.has(episodeIdOf(number)))
      await Promise.all(missing.map(number => playOnQueue(system, run, number, settled)))
      if (missing.length === 0) return
    } finally {
      over.abort()
      leave()
    }
  }
}

/**
 * Puts an episode on the queue, and again now and then until it has an outcome: its message may be taken by an owner that does not know
 * that it was put back, and then goes with it.
 */
async function playOnQueue ({ bus, retry, ports, limits }: NodeSystem, run: string, number: number, settled: Settled): Promise<void> {
  const id = episodeIdOf(number)
  await settled.ready
  while (!settled.has(id)) {
    await retry(() => bus.queue.add({ kind: 'episode', arena: anyArena, run, id }, Buffer.from('{}')))
    const over = new AbortController()
    await Promise.race([settled.when(id), ports.clock.sleep(limits.readdMs, over.signal).catch(() => {})]).finally(() => over.abort())
  }
}
