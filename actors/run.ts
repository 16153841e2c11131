// Plays a run: the machine with episodes as children, each an episode machine of its own behind a promise.

import { createActor, fromPromise } from 'xstate'
import { run, type RunOutcome } from '../machines/run.ts'
import { clusterLimits } from '../src/cluster/limits.ts'
import type { Registry } from '../src/inspect/registry.ts'
import { summariseRun } from '../src/run/summary.ts'
import { playEpisode } from './episode.ts'
import { about, names, observe } from './observe.ts'
import type { System } from './system.ts'

export interface RunActor { ended: Promise<RunOutcome>; drain (): void; halt (reason: string): void; pause (): void; resume (): void; wait (): void; go (): void }

/** What a run is played with: whether it has to be told to go, how one of its episodes is played to its end, and what is done when all are. */
export interface RunSystem { run: string; episodes: number; inFlight: number; waiting: boolean; episode (number: number): Promise<unknown>; summarise (): Promise<void>; registry?: Registry | undefined; /** Name of what it is within, for whoever looks. */ within?: string }

export function playRun (system: System): RunActor {
  return runActor({
    run: system.store.run,
    episodes: system.options.episodes,
    inFlight: system.jobs,
    waiting: false,
    episode: number => playEpisode(system, number),
    summarise: async () => { summariseRun(system.folder) },
    registry: system.registry
  })
}

export function runActor ({ run: runId, episodes, inFlight, waiting, episode, summarise, registry, within = '' }: RunSystem): RunActor {
  const logic = run.provide({
    actors: {
      episode: fromPromise<unknown, { number: number }>(({ input }) => episode(input.number)),
      summarise: fromPromise<void, { runId: string }>(summarise)
    }
  })
  const actor = createActor(logic, { id: runId, input: { runId, episodes, inFlight: Math.min(inFlight, clusterLimits.inFlightMax), waiting } })
  observe(registry, actor, about('run', runId, names.run(runId), within, { run: runId }))
  const ended = new Promise<RunOutcome>((resolve, reject) => {
    actor.subscribe({ next: snapshot => { if (snapshot.status === 'done') resolve(snapshot.output) }, error: reject })
    actor.start()
  })
  const tell = (type: 'run.drain' | 'run.pause' | 'run.resume' | 'run.wait' | 'run.go') => () => actor.send({ type })
  return { ended, drain: tell('run.drain'), halt: reason => actor.send({ type: 'run.halt', reason }), pause: tell('run.pause'), resume: tell('run.resume'), wait: tell('run.wait'), go: tell('run.go') }
}
