// What befalls a simulated cluster as a whole, and what users do to its runs, each at its time; and its trainer.

import { changeDocument, isFinal, type RunDocument } from '../../src/cluster/document.ts'
import { announcePolicy } from '../../src/cluster/policy-versions.ts'
import { readersOf } from '../../src/cluster/samples.ts'
import type { Rate } from '../../src/simulation/faults.ts'
import { createHost, type Host } from '../../src/simulation/host.ts'
import { createTrainer } from '../../src/simulation/trainer.ts'
import type { SimulatedNode } from './node.ts'
import type { SimulatedRun } from './runs.ts'
import type { UserOptions } from './user.ts'
import type { World } from './world.ts'

export const trainer = 'trainer'
/** Calls of the bus after which whoever puts work back may end in the middle. */
const putBackCalls = 20

export interface Training { readonly learned: ReadonlySet<string>; start (): void; end (): void }

/** It reads all samples at one place, or has a place for each run. */
export function openTrainer ({ time, broker, random }: World, runs: readonly SimulatedRun[]): Training {
  const own = random.fork('trainer')
  const places = own.next() < 0.5 ? [[trainer, ''] as const] : runs.map(({ name }) => [readersOf(trainer, name)[0]!, name] as const)
  const learned = new Set<string>()
  const readers = places.map(([reader, prefix]) => createTrainer({ reader: broker.attach('samples', reader, prefix), learned, random: own.fork(reader) }))
  let host: Host | null = null
  let lives = 0
  const start = (): void => {
    if (host !== null && host.state !== 'crashed') return
    const { clock } = host = createHost({ name: `trainer-${++lives}`, time })
    for (const reader of readers) void reader.run(clock)
  }
  start()
  return { learned, start, end: () => host?.crash() }
}

/** Events of the cluster, each at its rate until faults stop. */
export function schedule (world: World, nodes: readonly SimulatedNode[], runs: readonly SimulatedRun[], training: Training, putBack: (run: string, options: { callsMax: number; onEnd: NonNullable<UserOptions['onEnd']> }) => void, isFaulty: () => boolean): void {
  const { time, fates, random, trace, inner } = world
  const chance = random.fork('events')
  let versions = 0
  const cut = (some: readonly SimulatedNode[], what: string): void => {
    const lives = some.flatMap(({ life }) => life === null ? [] : [life])
    const names = some.map(({ name }) => name).join(' ')
    const ways = chance.pick([['out'], ['in'], ['out', 'in']] as const)
    trace('world', what, `${names} ${ways.join(' ')}`)
    for (const { link } of lives) link.cut(ways)
    time.at(time.now() + fates.downMs(), () => {
      trace('world', 'mended', `${what} ${names} ${lives.map(({ host }) => host.name).join(' ')}`)
      for (const { link } of lives) link.mend()
    })
  }
  const change = (run: SimulatedRun, state: RunDocument['state']): void => {
    if (!run.isThere) return
    trace('world', `${run.name} is to be ${state}`)
    void changeDocument(inner, run.name, document => isFinal(document.state) ? null : { ...document, state })
  }
  const events: Record<Rate, () => void> = {
    partition: () => cut([chance.pick(nodes)], 'partition'),
    outage: () => cut(nodes, 'outage'),
    drain: () => {
      const { life } = chance.pick(nodes)
      if (life !== null && life.host.state === 'up' && life.endedAt === null) life.node.drain()
    },
    trainerAway: () => {
      trace('world', 'the trainer is away')
      training.end()
      time.at(time.now() + fates.downMs(), () => {
        trace('world', 'the trainer is back')
        training.start()
      })
    },
    pauseRun () {
      const run = chance.pick(runs)
      change(run, 'paused')
      time.at(time.now() + fates.downMs(), () => change(run, 'running'))
    },
    putBack () {
      const { name, isThere } = chance.pick(runs)
      // Who was stopped in the middle does it again: until then a run may be put back by half.
      const again = (callsMax: number): void => putBack(name, { callsMax, onEnd: (how, code) => { if (how === 'crashed' || (how === 'failed' && code !== 'RUN_FINAL')) time.at(time.now() + 5_000, () => again(Infinity)) } })
      const calls = chance.pick([1 + chance.int(putBackCalls), Infinity])
      if (isThere) again(calls)
    },
    cancelRun: () => change(chance.pick(runs), 'cancelled'),
    version: () => void announcePolicy(inner, { model: 'policy', version: `step-${++versions}`, at: time.now() })
  }
  for (const [kind, happen] of Object.entries(events) as [Rate, () => void][]) {
    const next = (): void => {
      const ms = fates.next(kind)
      if (ms !== Infinity) time.at(time.now() + ms, () => {
        if (!isFaulty()) return
        fates.count(kind)
        happen()
        next()
      })
    }
    next()
  }
}
