// The composition root of one process: store, queue, sandboxes, policies and machines become one system that plays a run.
//
// Y1. A run folder that takes no more (a full disk) halts the run: nothing is scored, quarantined or lost by it, and a
//     resume plays on.

import type { Arena } from '../src/domain.ts'
import type { Clock } from '../src/ports.ts'
import { createMemoryQueue, type QueueEvent } from '../src/bus/memory-queue.ts'
import { SparError } from '../src/errors.ts'
import type { RunOutcome } from '../machines/run.ts'
import type { RunOptions } from '../src/run/options.ts'
import { episodeOfWork } from '../src/run/ids.ts'
import { folderEpisodes } from '../src/store/episodes.ts'
import type { RunStore } from '../src/store/run.ts'
import type { EpisodeStep, EpisodeSystem } from './episode.ts'
import { names, observeWork } from './observe.ts'
import { playRun } from './run.ts'
import { doWork, workKinds } from './work/index.ts'
import type { WorkPorts, Workplace } from './work/types.ts'

export interface SystemOptions {
  store: RunStore
  options: RunOptions
  arena: Arena
  ports: WorkPorts
  /** Pieces of work, and episodes, in flight at a time. */
  jobs: number
  onQueue?: (event: QueueEvent) => void
  onStep?: (step: EpisodeStep) => void
}

/** What every part of the system is handed. */
export interface System extends EpisodeSystem { folder: RunStore; jobs: number }

export interface PlayingRun { ended: Promise<RunOutcome>; /** No new episode starts until `resume`. */ pause (): void; resume (): void; /** Stops taking work; what is in flight has `graceMs` to finish. */ drain (graceMs: number): Promise<void> }

export function startSystem (input: SystemOptions): PlayingRun {
  const { registry } = input.ports
  const { store, jobs, ports, onQueue = () => {}, onStep = () => {} } = input
  const onEvent = (event: QueueEvent): void => {
    haltOnLoss(() => keepBooks(store, ports.clock, event))
    onQueue(event)
  }
  const queue = createMemoryQueue({ slots: jobs, clock: ports.clock, onEvent })
  const episodes = folderEpisodes(store)
  const place: Workplace = { options: input.options, arena: input.arena, ports, store: episodes }
  const system: System = { folder: store, jobs, store: episodes, options: input.options, arena: input.arena, policies: ports.policies, queue, onStep, registry }
  for (const kind of workKinds) {
    queue.handle(kind, async delivery => {
      try {
        const { id } = delivery.work
        return await observeWork(registry, { run: store.run, id, delivery: delivery.delivery, within: names.episode(store.run, episodeOfWork(id)!) }, async () => await doWork(place, delivery))
      } catch (error) {
        haltOnLoss(() => { throw error })
        throw error
      }
    })
  }
  const { ended, drain, halt, pause, resume } = playRun(system)

  /** Y1. */
  function haltOnLoss (work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof SparError) || error.code !== 'STORE_WRITE_FAILED') return
      void queue.drain(0)
      // The first work is dispatched while the run starts.
      queueMicrotask(() => halt(error.message))
    }
  }

  return {
    pause, resume,
    ended: ended.then(async outcome => {
      // An episode that failed leaves work behind, which must not outlive the run.
      if (outcome.kind !== 'drained') await queue.drain(0)
      return outcome
    }),
    async drain (graceMs) {
      drain()
      await queue.drain(graceMs)
    }
  }
}

function keepBooks (store: RunStore, clock: Clock, event: QueueEvent): void {
  const now = clock.now()
  if (event.type === 'dispatched') store.ledger.enter(event.work.id, 'dispatched', now)
  if (event.type !== 'ended') return
  const { ending, work } = event
  const why = ending.kind === 'quarantined' ? { code: ending.code, reason: ending.reason } : undefined
  store.ledger.enter(work.id, ending.kind, now, why)
}
