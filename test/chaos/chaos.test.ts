// Goal: chaos in its short form: every kind of fault once, on one real server and two real nodes, and nothing lost, twice or
// wrong. Method: the same session as the command, with a fixed seed.

import t from 'tap'
import { join } from 'node:path'
import { natsServers, skipWithoutNats } from '../helpers/nats-server.ts'
import { testFolder } from '../helpers/test-folder.ts'
import { powerCutRefusal, cutPower } from './power-cut.ts'
import { playSession } from './session.ts'

t.test('a run under chaos settles what it settles without', { skip: skipWithoutNats(), timeout: 600_000 }, async t => {
  const server = natsServers().at(-1)!
  const lines: string[] = []
  const { checks, faults, troubles } = await playSession({
    folder: testFolder(t), binary: server.path, knowsSync: !server.name.startsWith('2.9'), size: 1, nodes: 2, sandbox: 'process', seed: 5, episodes: 2, chaosMs: 15_000,
    ackWaitMs: 1_500, reapMs: 2_000, pauseMs: { min: 300, max: 900 }, group: 2, maxOrder: 1, onLine: line => lines.push(line)
  })
  for (const { name, holds, figure, wrong } of checks) t.ok(holds, `${name}: ${figure}`, { wrong })
  t.same(troubles, [])
  t.ok(Object.values(faults).reduce((sum, count) => sum + count, 0) >= 5, `faults: ${JSON.stringify(faults)}`)
  if (!t.passing()) t.comment(lines.join('\n'))
})

const current = natsServers().find(({ name }) => !name.startsWith('2.9'))
const refusal = current === undefined ? 'there is no nats-server that knows sync_interval: name one in SPAR_TEST_NATS_SERVER' : powerCutRefusal()

t.test('a power cut takes nothing that was confirmed, and something where nothing is synced', { skip: refusal ?? false, timeout: 120_000 }, async t => {
  const folder = testFolder(t)
  const synced = await cutPower({ binary: current!.path, folder: join(folder, 'always'), sync: 'always' })
  t.same(synced.missing, [])
  t.ok(synced.confirmed > 10, `${synced.confirmed} confirmed`)
  const unsynced = await cutPower({ binary: current!.path, folder: join(folder, 'default'), sync: null })
  t.ok(unsynced.missing.length > 0, `${unsynced.missing.length} of ${unsynced.confirmed} are missing`)
})
