// Goal: the bridge keeps its contract on NATS, and is a service there as NATS knows them. Method: the contract suite on real
// servers; questions to $SRV.

import { connect } from 'nats'
import t from 'tap'
import { natsBroker } from '../helpers/nats-bus.ts'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'
import { bridgeContract } from './contract.ts'
import { openBridge } from './fixture.ts'

const skip = skipWithoutNats()
if (skip !== false) t.pass('skipped', { skip })
else for (const kind of natsServers()) {
  t.test(`nats-server ${kind.name}`, async t => {
    const { url } = await startNats(t, { kind, syncInterval: '1s' })
    const broker = natsBroker(t, url)
    bridgeContract(t, async t => {
      const here = natsBroker(t, url, { prefix: broker.prefix })
      return { serving: await here.connect(), calling: await here.connect() }
    })

    t.test('$SRV.PING, INFO and STATS are answered', async t => {
      const [serving, calling] = [await broker.connect(), await broker.connect()]
      const { client } = await openBridge(t, { serving, calling })
      await client.say(1)
      const bare = await connect({ servers: url })
      t.teardown(() => bare.close())
      const ask = async (subject: string): Promise<Record<string, unknown>> => (await bare.request(subject, undefined, { timeout: 5_000 })).json()
      t.match(await ask('$SRV.PING'), { name: 'Echo', type: 'io.nats.micro.v1.ping_response' })
      const info = await ask('$SRV.INFO.Echo')
      t.match(info, { name: 'Echo', version: '1.0.0', endpoints: ['say', 'count', 'sum', 'chat'].map(name => ({ name, subject: `${broker.prefix}.bridge.Echo.${name}`, queue_group: 'q' })) })
      const stats = await ask(`$SRV.STATS.Echo.${info['id'] as string}`)
      t.match(stats, { endpoints: [{ name: 'say', num_requests: 1, num_errors: 0 }] })
    })
  })
}
