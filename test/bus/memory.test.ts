// Goal: the bus in memory keeps the contract. Method: the contract suite, on a broker of its own for each test.

import t from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import { systemClock } from '../../src/clock.ts'
import { busContract } from './contract.ts'

busContract(t, async (t, options = {}) => {
  const broker = createMemoryBroker({ clock: systemClock, ...options })
  return {
    async connect () {
      const bus = broker.connect()
      t.teardown(() => bus.close())
      return bus
    },
    async attach (log, name, prefix) {
      const reader = broker.attach(log, name, prefix)
      return { take: async most => reader.take(most), acknowledge: async entry => { reader.acknowledge(entry) } }
    }
  }
})
