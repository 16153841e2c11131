// Goal: the bridge keeps its contract in one process. Method: the contract suite on a broker in memory.

import t from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import { systemClock } from '../../src/clock.ts'
import { bridgeContract } from './contract.ts'

bridgeContract(t, async t => {
  const broker = createMemoryBroker({ clock: systemClock })
  const [serving, calling] = [broker.connect(), broker.connect()]
  t.teardown(async () => { await serving.close(); await calling.close() })
  return { serving, calling }
})
