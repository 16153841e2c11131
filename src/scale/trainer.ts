// The trainer of the model: takes samples in the order in which they came, leaves out those that are too old or teach nothing, and makes
// a step of them when there are tokens enough.

import type { Agenda } from './agenda.ts'
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
  trainedTokens: number
  add (sample: ModelSample): void
  resetMeters (): void
}

export function createModelTrainer (figures: Figures, agenda: Agenda, onRoom: () => void): ModelTrainer {
  const { trainTokens, trainSeconds, publishSeconds, solverAge, breakerAge } = figures
  const ageMax = { solver: solverAge, breaker: breakerAge }
  const busy = createLevel(agenda.now)
  const none = (): Taken => ({ trained: 0, stale: 0, flat: 0, age: createSpread() })
  const taken = { breaker: none(), solver: none() }
  const waiting: ModelSample[] = []
  let head = 0
  let batch = 0
  let served = 0
  let isBusy = false

  const trainer: ModelTrainer = {
    steps: 0, ahead: 0, trainedTokens: 0, busy, taken,
    get served () { return served },
    add (sample) {
      waiting.push(sample)
      set(trainer, { ahead: trainer.ahead + sample.tokens })
      look()
    },
    resetMeters () {
      busy.reset()
      for (const role of ['breaker', 'solver'] as const) Object.assign(taken[role], none())
      trainer.trainedTokens = 0
    }
  }

  function look (): void {
    while (!isBusy && head < waiting.length) {
      const sample = waiting[head++]!
      set(trainer, { ahead: trainer.ahead - sample.tokens })
      batch += take(sample)
      if (batch >= trainTokens) train()
    }
    if (head > 1_024 && head * 2 > waiting.length) {
      waiting.splice(0, head)
      head = 0
    }
    onRoom()
  }

  /** Tokens that it brings to the step. */
  function take ({ role, tokens, born, teaches }: ModelSample): number {
    const of = taken[role]
    const age = trainer.steps - born
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
      trainer.trainedTokens += tokens
      set(trainer, { steps: trainer.steps + 1 })
      const version = trainer.steps
      agenda.in(publishSeconds, () => { served = Math.max(served, version) })
      look()
    })
  }
  return trainer
}

const set = (trainer: ModelTrainer, values: Partial<Record<'steps' | 'ahead', number>>): void => { Object.assign(trainer, values) }
