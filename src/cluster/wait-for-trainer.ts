// A run waits for its trainer: while that has more before it than the run's document allows, no new episode is put on the queue.
// Who leads the run looks; what the trainer acknowledged is for the bus to say, so that nothing is lost with either of them.

import { followed } from '../bus/now.ts'
import type { Bus, LogPlace } from '../bus/types.ts'
import type { Clock } from '../ports.ts'
import { createAheadCount, type Rounds } from './ahead.ts'
import type { RunDocument, RunTrainer } from './document.ts'
import type { clusterLimits } from './limits.ts'
import type { Retry } from './retry.ts'
import { placesOfTrainer } from './samples.ts'

/** What a run says that waits for its trainer. */
export interface TrainerWait { run: string; trainer: string; bytes: number; bytesMax: number }

export interface WaitPorts { bus: Bus; retry: Retry; clock: Clock; limits: Pick<typeof clusterLimits, 'trainerLookMs'> }

export interface Waiting {
  document: RunDocument & { trainer: RunTrainer }
  rounds: Rounds
  /** Told whether the run has to wait, whenever that is looked at. */
  onLook (wait: TrainerWait | null): void
  signal: AbortSignal
}

/** Looks until the signal aborts. Rejects when the bus does not let it look. */
export async function waitForTrainer ({ bus, retry, clock, limits }: WaitPorts, { document, rounds, onLook, signal }: Waiting): Promise<void> {
  const { name: run, options, trainer } = document
  const { samples } = bus.log
  const look = async (): Promise<LogPlace[]> => await retry(() => placesOfTrainer(samples, trainer.name, run), signal)
  const ahead = createAheadCount(options, rounds)
  const tell = (): void => onLook(ahead.bytes < trainer.aheadBytesMax ? null : { run, trainer: trainer.name, bytes: ahead.bytes, bytesMax: trainer.aheadBytesMax })
  const first = await look()
  let isReady = false
  const following = followed(samples.follow(run, signal, Math.max(0, ...first.map(({ acknowledged }) => acknowledged))), entry => {
    ahead.enter(entry)
    // What comes may only make it wait; what goes is looked at below.
    if (isReady && ahead.bytes >= trainer.aheadBytesMax) tell()
  })
  await following.ready
  isReady = true
  const looking = (async () => {
    while (!signal.aborted) {
      const places = await look()
      if (signal.aborted) return
      ahead.look(places)
      tell()
      await clock.sleep(limits.trainerLookMs, signal).catch(() => {})
    }
  })()
  await Promise.race([looking, following.broken])
}
