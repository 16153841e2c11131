// Goal: what goes the lane's way is the same as what goes the client's. Method: real servers, in the clear and by TLS; messages of
// all sizes both ways between calls of the bus, while the connection is lost and made again.

import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import type { WireMessage } from '../../../../src/bridge/wire.ts'
import type { Bus } from '../../../../src/bus/types.ts'
import { systemClock } from '../../../../src/clock.ts'
import { certificates } from '../../../helpers/certificates.ts'
import { natsBroker } from '../../../helpers/nats-bus.ts'
import { natsServers, skipWithoutNats, startNats, type ServerKind } from '../../../helpers/nats-server.ts'
import { testFolder } from '../../../helpers/test-folder.ts'

const sizes = [0, 1, 100, 4_096, 65_535, 262_144, 300_000, 1_000_000, 5, 262_000, 17]
const bytesOf = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, index) => (index * 31 + size) % 251)
const digestOf = (bytes: Uint8Array): string => `${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`

/** Everything there and back, in order, while the bus is used beside it. */
async function exchange (t: Test, one: Bus, other: Bus): Promise<void> {
  const [here, there] = [one.wire.inbox('client'), other.wire.inbox('client')]
  const came: string[] = []
  const stops = [
    other.wire.listenBelow(there, ({ bytes, reply }: WireMessage) => { other.wire.publish(reply, bytes) }),
    one.wire.listenBelow(here, ({ bytes }) => { came.push(digestOf(bytes)) })
  ]
  await systemClock.sleep(50)
  const values = sizes.map(size => bytesOf(size % 5_000))
  for (const size of sizes) one.wire.publish(`${there}.1`, bytesOf(size), `${here}.1`)
  const beside = values.map((bytes, index) => one.kv.runs.put(`k${index}`, bytes))
  for (const size of sizes) one.wire.publish(`${there}.1`, bytesOf(size), `${here}.1`)
  await Promise.all(beside)
  for (let tries = 0; tries < 500 && came.length < 2 * sizes.length; tries++) await systemClock.sleep(10)
  t.same(came, [...sizes, ...sizes].map(size => digestOf(bytesOf(size))))
  for (const [index, bytes] of values.entries()) t.equal(digestOf((await one.kv.runs.get(`k${index}`))!.bytes), digestOf(bytes))
  for (const stop of stops) stop()
}

function lane (t: Test, kind: ServerKind): void {
  t.test('in the clear, and after the connection was lost', async t => {
    const server = await startNats(t, { kind, syncInterval: '1s' })
    const broker = natsBroker(t, server.url)
    const [one, other] = [await broker.connect(), await broker.connect()]
    await exchange(t, one, other)
    await server.kill()
    for (let tries = 0; tries < 500 && (one.isConnected || other.isConnected); tries++) await systemClock.sleep(10)
    one.wire.publish('nowhere', bytesOf(1_000))
    await server.start()
    for (let tries = 0; tries < 500 && !(one.isConnected && other.isConnected); tries++) await systemClock.sleep(10)
    await exchange(t, one, other)
  })

  t.test('by TLS', async t => {
    const folder = testFolder(t)
    const { ca, cert, key } = certificates(folder)
    const server = await startNats(t, { kind, syncInterval: '1s', folder, config: `tls { cert_file: "${cert}", key_file: "${key}" }` })
    const broker = natsBroker(t, `tls://localhost:${server.port}`)
    const [one, other] = [await broker.connect({ tls: { ca } }), await broker.connect({ tls: { ca } })]
    await exchange(t, one, other)
  })
}

const skip = skipWithoutNats()
if (skip !== false) t.pass('skipped', { skip })
else for (const kind of natsServers()) t.test(`nats-server ${kind.name}`, async t => { lane(t, kind) })
