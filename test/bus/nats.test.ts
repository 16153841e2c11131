// Goal: the bus on NATS keeps the contract, on the oldest server that is supported and on a current one. Method: the contract
// suite against real servers.

import t from 'tap'
import { natsBroker } from '../helpers/nats-bus.ts'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'
import { busContract } from './contract.ts'

const skip = skipWithoutNats()
if (skip !== false) t.pass('skipped', { skip })
else for (const kind of natsServers()) {
  t.test(`nats-server ${kind.name}`, async t => {
    const { url } = await startNats(t, { kind })
    busContract(t, async (t, { ackWaitMs, nodeTtlMs, queueBytesMax, signalsMax } = {}) => natsBroker(t, url, {
      ...ackWaitMs === undefined ? {} : { ackWaitMs }, ...nodeTtlMs === undefined ? {} : { nodeTtlMs },
      limits: { ...queueBytesMax === undefined ? {} : { queueBytesMax }, ...signalsMax === undefined ? {} : { signalsMax } }
    }))
  })
}
