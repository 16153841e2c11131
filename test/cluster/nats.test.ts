// Goal: nodes play runs to their end on real servers, the oldest that is supported and a current one. Method: the suite of the
// cluster.

import t from 'tap'
import { natsBroker } from '../helpers/nats-bus.ts'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'
import { clusterSuite } from './suite.ts'

const skip = skipWithoutNats()
if (skip !== false) t.pass('skipped', { skip })
else for (const kind of natsServers()) {
  t.test(`nats-server ${kind.name}`, async t => {
    const { url } = await startNats(t, { kind })
    clusterSuite(t, async (t, ackWaitMs) => natsBroker(t, url, { ackWaitMs, nodeTtlMs: 2_000 }))
  })
}
