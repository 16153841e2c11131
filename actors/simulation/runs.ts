// The runs of a simulation: what each is to play, who submits it and when, and how far it is.

import { createRetry } from '../../src/cluster/retry.ts'
import { isFinal, readDocument, type RunDocument } from '../../src/cluster/document.ts'
import { settledPrefix } from '../../src/cluster/keys.ts'
import { createOutcomes } from '../../src/cluster/outcomes.ts'
import { submitRun } from '../../src/cluster/submit.ts'
import { runDefaults } from '../../src/run/options.ts'
import { createRandom, deriveSeed } from '../../src/random.ts'
import { simulationStart } from '../../src/simulation/time.ts'
import { trainer } from './events.ts'
import type { SimulateOptions } from './simulate.ts'
import type { Users } from './user.ts'
import { arenasOfRunMax, type World } from './world.ts'

/** Runs of a seed, where nobody says how many. */
export const drawRuns = (seed: number, episodes: number): number => Math.min(episodes, createRandom(deriveSeed(seed, 'runs')).pick([1, 1, 2, 3]))

/** Later ones are submitted within so long, milliseconds of virtual time. */
const submitWithinMs = 180_000
/** Calls of the bus after which the first who submits a run may end in the middle; one in so many does. */
const submitCalls = 4
const cutShort = 0.2

export interface SimulatedRun {
  readonly name: string
  /** As it is submitted. */
  readonly document: RunDocument
  /** Episodes with an outcome, also those that lost it again. */
  readonly settled: number
  /** It is on the bus. */
  readonly isThere: boolean
  readonly isOver: boolean
}

export function openRuns (world: World, users: Users, { episodes, seed, group, runs }: SimulateOptions, onSettled: () => void, signal: AbortSignal): SimulatedRun[] {
  return Array.from({ length: runs }, (_, index) => {
    const name = index === 0 ? 'run' : `run-${index + 1}`
    const own = Math.floor((index + 1) * episodes / runs) - Math.floor(index * episodes / runs)
    return openRun(world, users, documentOf(world, { name, index, episodes: own, seed: seed + index, group }), onSettled, signal)
  })
}

function openRun ({ time, inner, random }: World, users: Users, document: RunDocument, onSettled: () => void, signal: AbortSignal): SimulatedRun {
  const { name, submittedAt } = document
  let [settled, isThere, isOver] = [0, false, false]
  const outcomes = createOutcomes(() => null)
  const follow = async (): Promise<void> => {
    for await (const entry of inner.log.records.follow(settledPrefix(name), signal)) {
      if (entry === null || outcomes.enter(entry) === null) continue
      const before = settled
      settled = Math.max(settled, outcomes.values.size)
      if (settled > before) onSettled()
    }
  }
  const watch = async (): Promise<void> => {
    for await (const entry of inner.kv.runs.watch(name, signal)) {
      if (!entry?.bytes) continue
      isThere = true
      isOver = isFinal(readDocument(entry.bytes, name).state)
    }
  }
  void follow()
  void watch()
  const chance = random.fork(`submit ${name}`)
  const submit = (callsMax: number): void => {
    users(async (bus, clock) => await submitRun(bus, createRetry(clock), document), { callsMax, onEnd: how => { if (how !== 'done') time.at(time.now() + 1_000, () => submit(Infinity)) } })
  }
  const calls = chance.next() < cutShort ? 1 + chance.int(submitCalls) : Infinity
  time.at(submittedAt, () => submit(calls))
  return { name, document, get settled () { return settled }, get isThere () { return isThere }, get isOver () { return isOver } }
}

function documentOf ({ random }: World, { name, index, episodes, seed, group }: { name: string; index: number; episodes: number; seed: number; group: number | undefined }): RunDocument {
  const own = random.fork(name)
  const arenas = 1 + own.int(arenasOfRunMax)
  const hasTrainer = own.next() < 0.7
  return {
    name, state: 'running', reason: '', inFlight: 1 + own.int(16),
    trainer: hasTrainer ? { name: trainer, aheadBytesMax: own.pick([20_000, 1_000_000]) } : null,
    options: { ...runDefaults, target: `arena-${index}`, arenas, episodes, seed, group: own.pick([2, 4, 8]), maxOrder: 1 + own.int(2), ...group === undefined ? {} : { group } },
    arenas: Array.from({ length: arenas }, (_, offset) => ({ target: `arena-${index + offset}`, setup: null, test: null, opened: null })),
    submittedAt: simulationStart + (index === 0 ? 0 : own.int(submitWithinMs))
  }
}
