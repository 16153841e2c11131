// Plays a run: the machine with episodes as children, each an episode machine of its own behind a promise.

import { createActor, fromPromise } from 'xstate'
import { run, type RunOutcome } from '../machines/run.ts'
import { summariseRun } from '../src/run/summary.ts'
import { playEpisode } from './episode.ts'
import type { System } from './system.ts'

/** Episodes in flight at a time, at most: children of one parent cost more the more there are. */
const inFlightMax = 100

export interface RunActor { ended: Promise<RunOutcome>; drain (): void; halt (reason: string): void }

export function playRun (system: System): RunActor {
  const logic = run.provide({
    actors: {
      episode: fromPromise<unknown, { number: number }>(({ input }) => playEpisode(system, input.number)),
      summarise: fromPromise<void, { runId: string }>(async () => { summariseRun(system.folder) })
    }
  })
  const input = { runId: system.store.run, episodes: system.options.episodes, inFlight: Math.min(system.jobs, inFlightMax) }
  const actor = createActor(logic, { id: system.store.run, input })
  const ended = new Promise<RunOutcome>((resolve, reject) => {
    actor.subscribe({ next: snapshot => { if (snapshot.status === 'done') resolve(snapshot.output) }, error: reject })
    actor.start()
  })
  return { ended, drain: () => actor.send({ type: 'run.drain' }), halt: reason => actor.send({ type: 'run.halt', reason }) }
}
