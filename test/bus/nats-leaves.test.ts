// Goal: whoever has read, waited and closed leaves nothing behind: no consumer on the server, no listener on a signal that lives
// long, no timer that keeps the process. Method: counting them; a process of its own.

import { execFile } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { promisify } from 'node:util'
import { connect } from 'nats'
import t, { type Test } from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import type { Bus } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import { natsBroker, smallStreams } from '../helpers/nats-bus.ts'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'
import { iterate, take, text } from './contract.ts'

const work = { kind: 'rollout', arena: 'a', run: 'r1', id: '1' } as const

async function assertNoListeners (t: Test, bus: Bus): Promise<void> {
  const long = new AbortController().signal
  await bus.log.records.create('r.a', text(''))
  for (let turn = 0; turn < 12; turn++) {
    await bus.queue.pull('rollout', 'a', { waitMs: turn % 2, signal: long })
    const follower = iterate(bus.log.records.follow('', long))
    const watcher = iterate(bus.kv.runs.watch('', long))
    await take(follower, 2)
    await take(watcher, 1)
    await follower.return!()
    await watcher.return!()
  }
  t.equal(getEventListeners(long, 'abort').length, 0)
}

/** Uses a bus, closes it, and has nothing more to do. */
const script = (make: string): string => `
  ${make}
  const { signal } = new AbortController()
  const read = async values => { for await (const _ of values); }
  const over = [read(bus.log.records.follow('', signal)), read(bus.kv.runs.watch('', signal)), read(bus.signals('', signal)), bus.queue.pull('verify', 'a', { waitMs: 60000, signal })]
  await bus.queue.add(${JSON.stringify(work)}, new Uint8Array())
  const message = await bus.queue.pull('rollout', 'a', { waitMs: 5000, signal })
  message.again(60000)
  await bus.kv.nodes.put('n', new Uint8Array())
  await bus.close()
  await Promise.all(over)
  console.log('closed')
`

async function assertEnds (t: Test, make: string): Promise<void> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script(make)], { timeout: 20_000 })
  t.equal(stdout, 'closed\n')
  t.equal(stderr, '')
}

const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)
const clock = `const { systemClock: clock } = await import(${at('../../src/clock.js')})\n`

t.test('memory', async t => {
  await assertNoListeners(t, createMemoryBroker({ clock: systemClock }).connect())
  await assertEnds(t, `${clock}const bus = (await import(${at('../../src/bus/memory.js')})).createMemoryBroker({ clock }).connect()`)
})

const skip = skipWithoutNats()
if (skip !== false) t.pass('skipped', { skip })
else for (const kind of natsServers()) {
  t.test(`nats-server ${kind.name}`, async t => {
    const { url } = await startNats(t, { kind })
    const broker = natsBroker(t, url)
    await assertNoListeners(t, await broker.connect())
    await assertEnds(t, `${clock}const bus = await (await import(${at('../../src/bus/nats.js')})).connectNats({ servers: [${JSON.stringify(url)}], name: 'ends', clock, prefix: 'ends', limits: ${JSON.stringify(smallStreams)} })`)
    const bare = await connect({ servers: url })
    t.teardown(() => bare.close())
    const jsm = await bare.jetstreamManager()
    const consumers = async (stream: string): Promise<number> => (await jsm.streams.info(stream)).state.consumer_count
    for (const stream of [`${broker.prefix.toUpperCase()}_RECORDS`, `KV_${broker.prefix}_runs`]) {
      for (let tries = 0; tries < 100 && await consumers(stream) > 0; tries++) await systemClock.sleep(50)
      t.equal(await consumers(stream), 0, stream)
    }
  })
}
