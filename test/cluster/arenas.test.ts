// Goal: a node that holds as many arenas as it may makes room for those of a new run, and says so where there is none to make.

import t from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import { createHeldArenas } from '../../src/cluster/arenas.ts'
import { changeDocument, createDocument } from '../../src/cluster/document.ts'
import { createRetry } from '../../src/cluster/retry.ts'
import { createRuns } from '../../src/cluster/runs.ts'
import { systemClock } from '../../src/clock.ts'
import { documentOf, standInArena } from '../helpers/cluster-fixture.ts'

async function until (holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500 && !holds(); tries++) await systemClock.sleep(10)
}

t.test('arenas of runs that are over make room, those of runs that play do not', async t => {
  const bus = await createMemoryBroker({ clock: systemClock, ackWaitMs: 1_000, nodeTtlMs: 2_000 }).connect()
  const over = new AbortController()
  const runs = createRuns(bus, { onFault () {} })
  const { ready } = runs.follow(over.signal)
  await ready
  const arenas = createHeldArenas({ bus, retry: createRetry(systemClock), runs, clock: systemClock, open: async ({ target }) => standInArena(target), onChange () {}, limits: { arenasMax: 2, arenaRetryMs: 50 } })
  const attending = arenas.attend(over.signal)
  const ids = (...targets: string[]): string[] => targets.map(target => standInArena(target).id)

  await createDocument(bus, documentOf('one', {}, ['a1', 'a2']))
  await until(() => arenas.ids().length === 2)
  await createDocument(bus, documentOf('two', {}, ['b1']))
  await until(() => arenas.refusals().length === 1)
  t.same(arenas.ids(), ids('a1', 'a2'))
  t.match(arenas.refusals(), [{ target: 'b1', code: 'ARENA_NO_ROOM', reason: /2 arenas that runs need/ }])

  await changeDocument(bus, 'one', document => ({ ...document, state: 'done' }))
  await until(() => arenas.refusals().length === 0)
  t.same(arenas.ids(), ids('a2', 'b1'))
  t.same(arenas.refusals(), [])
  over.abort()
  await attending
})
