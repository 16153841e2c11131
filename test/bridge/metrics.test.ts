// Goal: what the bridge counts is what went over it. Method: both sides on the memory bus, with a registry of their own.

import t from 'tap'
import { createBridgeClient } from '../../src/bridge/client.ts'
import { createBridgeServer } from '../../src/bridge/server.ts'
import { BridgeStatus } from '../../src/bridge/status.ts'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import { systemClock } from '../../src/clock.ts'
import { createMetrics } from '../../src/metrics/registry.ts'
import { scraped } from '../helpers/metrics.ts'
import { Echo, echo, statusOf } from './fixture.ts'

t.test('calls by how they end, frames and bytes of both sides, and messages that waited for room', async t => {
  const bus = createMemoryBroker({ clock: systemClock }).connect()
  t.teardown(() => bus.close())
  const [serving, calling] = [createMetrics(), createMetrics()]
  const server = createBridgeServer({ bus, clock: systemClock, metrics: serving })
  t.teardown(() => server.destroy())
  await server.serve(Echo, { ...echo, async say (request) { if (request === 'bad') throw new BridgeStatus('NOT_FOUND', 'there is none'); return request } })
  const bridge = createBridgeClient({ bus, clock: systemClock, metrics: calling, limits: { windowBytes: 4096 } })
  t.teardown(() => bridge.close())
  const client = bridge.of(Echo)
  await client.say('good')
  await client.say('good')
  await statusOf(client.say('bad'))
  let read = 0
  for await (const { filling } of client.count({ to: 40, bytes: 1000 })) {
    read += filling.length
    await systemClock.sleep(1)
  }
  t.equal(read, 40_000)
  const [atServer, atClient] = [scraped(await serving.expose()), scraped(await calling.expose())]
  for (const [side, seen] of [['server', atServer], ['client', atClient]] as const) {
    const calls = (method: string, status: string) => seen.value('spar_bridge_calls_total', { side, service: 'Echo', method, status })
    t.equal(calls('say', 'OK'), 2)
    t.equal(calls('say', 'NOT_FOUND'), 1)
    t.equal(calls('count', 'OK'), 1)
    t.equal(seen.value('spar_bridge_call_seconds_count', { side, service: 'Echo', method: 'say' }), 3)
  }
  for (const name of ['spar_bridge_frames_total', 'spar_bridge_bytes_total']) {
    t.equal(atServer.value(name, { side: 'server', direction: 'sent' }), atClient.value(name, { side: 'client', direction: 'received' }), `${name}: all that the server sent was received`)
    t.equal(atClient.value(name, { side: 'client', direction: 'sent' }), atServer.value(name, { side: 'server', direction: 'received' }))
  }
  t.ok(atServer.value('spar_bridge_bytes_total', { side: 'server', direction: 'sent' })! > 40_000)
  t.ok(atServer.value('spar_bridge_credit_waits_total', { side: 'server' })! > 0, 'a window of 4 KB makes 40 KB wait')
})
