// The trainer of a simulation: takes samples at its place in the log, learns from each once, keeps a checkpoint, and only then
// acknowledges. One that was away goes on from its checkpoint, and is given again what it had not acknowledged.

import type { MemoryReader } from '../bus/memory/log.ts'
import type { LogEntry } from '../bus/types.ts'
import type { Clock, Random } from '../ports.ts'

export interface TrainerOptions {
  reader: MemoryReader
  random: Random
  /** Where the keys of samples go that had their effect: what the checkpoint holds. */
  learned: Set<string>
  /** Samples of a step, at most; and how long it takes, milliseconds. */
  samplesPerStep?: number
  stepMs?: { min: number; spread: number }
}

export interface SimulatedTrainer {
  /** Trains until the clock stops: what a process does that may crash at any await. */
  run (clock: Clock): Promise<void>
}

/** How long it waits where there is nothing. */
const idleMs = 500

export function createTrainer ({ reader, random, learned, samplesPerStep = 64, stepMs = { min: 500, spread: 2_000 } }: TrainerOptions): SimulatedTrainer {
  return {
    async run (clock) {
      // What it was given before it crashed comes again.
      let given: LogEntry[] = reader.held()
      for (;;) {
        if (given.length === 0) given = reader.take(samplesPerStep)
        if (given.length === 0) {
          await clock.sleep(idleMs)
          continue
        }
        await clock.sleep(stepMs.min + stepMs.spread * random.next())
        for (const { key } of given) learned.add(key)
        await clock.sleep(1)
        for (const entry of given) reader.acknowledge(entry)
        given = []
      }
    }
  }
}
