// Goal: the bus in memory keeps the contract. Method: the contract suite, on a broker of its own for each test.

import t from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import { systemClock } from '../../src/clock.ts'
import { busContract } from './contract.ts'

busContract(t, async (t, options = {}) => {
  const broker = createMemoryBroker({ clock: systemClock, ...options })
  return { async connect () {
    const bus = broker.connect()
    t.teardown(() => bus.close())
    return bus
  } }
})
