// Goal: whoever has called, served and closed leaves nothing behind: no listener on a signal that lives long, no timer that keeps
// the process. Method: counting them; a process of its own.

import { execFile } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import { systemClock } from '../../src/clock.ts'
import { smallStreams } from '../helpers/nats-bus.ts'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'
import { all, openBridge, statusOf } from './fixture.ts'

t.test('no call stays on a signal that lives long', async t => {
  const broker = createMemoryBroker({ clock: systemClock })
  const { client } = await openBridge(t, { serving: broker.connect(), calling: broker.connect() }, { async * chat () { throw new Error('broken') } })
  const { signal } = new AbortController()
  for (let turn = 0; turn < 12; turn++) {
    await client.say(1, { signal })
    await all(client.count({ to: 3 }, { signal }))
    await client.count({ to: 3 }, { signal }).return!()
    await statusOf(client.chat([], { signal }))
  }
  t.equal(getEventListeners(signal, 'abort').length, 0)
})

const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)

/** Leaves calls open, closes, and has nothing more to do. */
const script = (connect: string): string => `
  const { systemClock: clock } = await import(${at('../../src/clock.js')})
  const { createBridgeClient } = await import(${at('../../src/bridge/client.js')})
  const { createBridgeServer } = await import(${at('../../src/bridge/server.js')})
  const { Echo, echo } = await import(${at('./fixture.js')})
  ${connect}
  const server = createBridgeServer({ bus, clock })
  await server.serve(Echo, { ...echo, say: () => new Promise(() => {}) })
  const client = createBridgeClient({ bus, clock })
  const ended = client.of(Echo).say(1).catch(error => error.code)
  const answers = client.of(Echo).count({ to: 1000000, bytes: 1000 })
  await answers.next()
  await client.of(Echo).sum([new Uint8Array(2_000_000)]).catch(() => {})
  client.close()
  await server.destroy()
  await bus.close()
  console.log(await ended)
`

async function assertEnds (t: Test, connect: string): Promise<void> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script(connect)], { timeout: 20_000 })
  t.equal(stdout, 'BRIDGE_CANCELLED\n')
  t.equal(stderr, '')
}

t.test('memory', async t => { await assertEnds(t, `const bus = (await import(${at('../../src/bus/memory.js')})).createMemoryBroker({ clock }).connect()`) })

const skip = skipWithoutNats()
if (skip !== false) t.pass('skipped', { skip })
else for (const kind of natsServers()) t.test(`nats-server ${kind.name}`, async t => {
  const { url } = await startNats(t, { kind, syncInterval: '1s' })
  await assertEnds(t, `const bus = await (await import(${at('../../src/bus/nats.js')})).connectNats({ servers: [${JSON.stringify(url)}], name: 'ends', clock, prefix: 'ends', limits: ${JSON.stringify(smallStreams)} })`)
})
