// The trainer of the model: takes samples in the order in which they came, leaves out those that are too old or teach nothing, and makes
// a step of them when there are tokens enough.

import type { Agenda } from './agenda.ts'
import { createFifo } from '../fifo.ts'
import type { Figures } from './figures.ts'
import { createLevel, createSpread, type Level, type Spread } from './meters.ts'

export type Role = 'breaker' | 'solver'
/** `born`: version of the weights that drew its first token. */
export interface ModelSample { role: Role; tokens: number; born: number; teaches: boolean }

export interface Taken { trained: number; stale: number; flat: number; age: Spread }

export interface ModelTrainer {
  /** Whole steps made so far, and the version that turns are played with. */
  readonly steps: number
  readonly served: number
  /** Tokens that wait. */
  readonly ahead: number
  readonly busy: Level
  readonly taken: Record<Role, Taken>
  /** Tokens that were trained on. */
  readonly trainedTokens: number
  add (sample: ModelSample): void
  resetMeters (): void
}

export function createModelTrainer (figures: Figures, agenda: Agenda, onRoom: () => void): ModelTrainer {
  const { trainTokens, trainSeconds, publishSeconds, solverAge, breakerAge } = figures
  const ageMax = { solver: solverAge, breaker: breakerAge }
  const busy = createLevel(agenda.now)
  const none = (): Taken => ({ trained: 0, stale: 0, flat: 0, age: createSpread() })
  const taken = { breaker: none(), solver: none() }
  const waiting = createFifo<ModelSample>()
  let ahead = 0
  let batch = 0
  let steps = 0
  let served = 0
  let trainedTokens = 0
  let isBusy = false

  function look (): void {
    while (!isBusy && waiting.size > 0) {
      const sample = waiting.shift()!
      ahead -= sample.tokens
      batch += take(sample)
      if (batch >= trainTokens) train()
    }
    onRoom()
  }

  /** Tokens that it brings to the step. */
  function take ({ role, tokens, born, teaches }: ModelSample): number {
    const of = taken[role]
    const age = steps - born
    of.age.add(age)
    if (age > ageMax[role]) of.stale++
    else if (!teaches) of.flat++
    else {
      of.trained++
      return tokens
    }
    return 0
  }

  function train (): void {
    isBusy = true
    busy.add(1)
    const tokens = batch
    batch = 0
    agenda.in(trainSeconds, () => {
      isBusy = false
      busy.add(-1)
      trainedTokens += tokens
      const version = ++steps
      agenda.in(publishSeconds, () => { served = version })
      look()
    })
  }
  return {
    busy,
    taken,
    get steps () { return steps },
    get served () { return served },
    get ahead () { return ahead },
    get trainedTokens () { return trainedTokens },
    add (sample) {
      waiting.push(sample)
      ahead += sample.tokens
      look()
    },
    resetMeters () {
      busy.reset()
      for (const role of ['breaker', 'solver'] as const) Object.assign(taken[role], none())
      trainedTokens = 0
    }
  }
}
