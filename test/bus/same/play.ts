// Takes the steps of a sequence on one bus, and says what was seen.

import type { Bus } from '../../../src/bus/types.ts'
import { SparError } from '../../../src/errors.ts'
import { iterate, never, text } from '../contract.ts'
import { Connections, type Connection } from './connections.ts'
import { FollowerSteps } from './followers.ts'
import { connections as count, refusals, type Step } from './operations.ts'
import { QueueSteps } from './queue.ts'
import { ValueSteps } from './values.ts'
import type { World } from './world.ts'

const work = { kind: 'rollout', arena: 'z', run: 'r', id: '1' } as const
const bad = 'a b'
const now = { waitMs: 0, signal: never() }

const refused: Record<typeof refusals[number], (bus: Bus, large: Uint8Array) => unknown> = {
  addLarge: ({ queue }, large) => queue.add(work, large),
  createLarge: ({ log }, large) => log.records.create('large', large),
  putLarge: ({ kv }, large) => kv.runs.put('large', large),
  updateLarge: ({ kv }, large) => kv.runs.update('large', large, 0),
  signalLarge: (bus, large) => bus.signal('large', large),
  addKey: ({ queue }) => queue.add({ ...work, id: bad }, text('')),
  addRun: ({ queue }) => queue.add({ ...work, run: 'a.b' }, text('')),
  pullArena: ({ queue }) => queue.pull('rollout', 'a.b', now),
  createKey: ({ log }) => log.records.create(bad, text('')),
  putKey: ({ kv }) => kv.runs.put(bad, text('')),
  updateKey: ({ kv }) => kv.runs.update(bad, text(''), 0),
  followPrefix: ({ log }) => iterate(log.records.follow(bad, never())).next(),
  watchPrefix: ({ kv }) => iterate(kv.runs.watch(bad, never())).next(),
  objectKey: ({ objects }) => objects.put(bad, text('')),
  signalTopic: bus => bus.signal(bad, text('')),
  placeName: ({ log }) => log.records.place(bad),
  purgeRun: ({ queue }) => queue.purge(bad, ['rollout'])
}

/** What a connection that was closed says to everything. */
const late: ((bus: Bus) => unknown)[] = [
  ({ queue }) => queue.add(work, text('')), ({ queue }) => queue.pull('rollout', 'a', now), ({ queue }) => queue.depth('rollout', 'a'), ({ queue }) => queue.subjects(), ({ queue }) => queue.purge('z', ['rollout']),
  ({ log }) => log.records.create('late', text('')), ({ log }) => log.records.get('a'), ({ log }) => log.records.remove('a'), ({ log }) => log.records.place('all'), ({ log }) => log.records.places(),
  ({ log }) => iterate(log.records.follow('', never())).next(), ({ kv }) => iterate(kv.runs.watch('', never())).next(), bus => iterate(bus.signals('', never())).next(),
  ({ kv }) => kv.runs.get('a'), ({ kv }) => kv.runs.put('late', text('')), ({ kv }) => kv.runs.update('late', text(''), 0), ({ kv }) => kv.runs.remove('a'),
  ({ objects }) => objects.put('late', text('')), ({ objects }) => objects.get('a'), ({ objects }) => objects.remove('a'), bus => bus.signal('late', text('')), bus => bus.isConnected
]

/** What it gives, or the code of what it throws. */
async function codeOf (call: () => unknown): Promise<unknown> {
  try {
    return await call() ?? null
  } catch (error) {
    if (error instanceof SparError) return error.code
    throw error
  }
}

export async function play (world: World, sequence: readonly Step[]): Promise<unknown[]> {
  const seen: unknown[] = []
  const connections = new Connections(world)
  const values = new ValueSteps(world)
  const queue = new QueueSteps(world, connections)
  const followers = new FollowerSteps(world, values, connections)
  for (let index = 0; index < count; index++) await connections.at(index)

  const answer = async (step: Step, by: Connection): Promise<unknown> => {
    switch (step.do) {
      case 'add': case 'pull': case 'ask': case 'ack': case 'working': case 'again': case 'purge': case 'depth': case 'subjects': case 'giveUp': return await queue[step.do](step as never, by)
      case 'follow': case 'watch': case 'listen': case 'signal': case 'leave': return await followers[step.do](step as never, by)
      // What is gone before somebody was told may be left out.
      case 'removeEntry': return [await followers.told(by), await values.removeEntry(step as never, by)]
      case 'refuse': return await refused[step.what](by.bus, new Uint8Array(by.bus.valueBytesMax + 1))
      case 'close': {
        const told = await followers.told(by)
        await connections.close(step.by)
        return [told, await queue.end(by), await followers.left(by), await Promise.all(late.map(call => codeOf(() => call(by.bus))))]
      }
      case 'pass': {
        const told = await followers.told(by)
        await world.pass()
        queue.passed()
        return told
      }
      default: return await values[step.do](step as never, by)
    }
  }
  try {
    for (const step of sequence) {
      await world.step(queue.isTimed || values.isTimed)
      const by = await connections.at(step.by)
      seen.push([step.do, await codeOf(() => answer(step, by)), ...await queue.answers(step.do === 'pass')])
    }
    await world.step(queue.isTimed || values.isTimed)
    const by = await connections.at(0)
    seen.push(await followers.told(by), await values.all(by), await queue.end(null))
    await followers.end()
    return seen
  } finally {
    await connections.closeAll()
    await world.end()
  }
}
