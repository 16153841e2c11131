// Users: each a process of its own that does one thing on the bus, and may end in the middle of it.

import { simulatedBus } from '../../src/simulation/bus.ts'
import { createHost } from '../../src/simulation/host.ts'
import { createLink } from '../../src/simulation/link.ts'
import type { Bus } from '../../src/bus/types.ts'
import { toPlain } from '../../src/errors.ts'
import type { Clock } from '../../src/ports.ts'
import type { World } from './world.ts'

export type UserState = 'busy' | 'done' | 'crashed' | 'failed'
export interface User { readonly state: UserState }

export interface UserOptions {
  /** Calls of the bus after which it ends in the middle. */
  callsMax?: number
  /** Told what the bus has done for it. */
  onDone?: (what: string, detail: string) => void
  /** `code`: why the bus, or a rule, refused what it wanted. */
  onEnd?: (how: UserState, code: string) => void
}

export type Users = (work: (bus: Bus, clock: Clock) => Promise<void>, options?: UserOptions) => User

export function openUsers (world: World): Users {
  const { time, fates, broker, latency, trace, inner } = world
  const random = world.random.fork('users')
  let users = 0

  return (work, { callsMax = Infinity, onDone = () => {}, onEnd = () => {} } = {}) => {
    const name = `user-${++users}`
    const host = createHost({ name, time })
    const connection = broker.connect()
    let state: UserState = 'busy'
    let calls = 0
    const end = (how: UserState, code = ''): void => {
      if (state !== 'busy') return
      state = how
      trace(name, how === 'done' ? 'ended' : how)
      host.crash()
      void connection.close()
      onEnd(how, code)
    }
    const count = (what: string, detail: string): void => {
      trace(name, what, detail)
      onDone(what, detail)
      if (++calls >= callsMax) end('crashed')
    }
    const bus = simulatedBus({ inner: connection, server: inner, host, link: createLink({ time, random: random.fork(name), fates, latency }), time, fates, onDone: count, crash: () => end('crashed') })
    work(bus, host.clock).then(() => end('done'), (error: unknown) => {
      const { code } = toPlain(error)
      trace(name, 'refused', code)
      end('failed', code)
    })
    return { get state () { return state } }
  }
}
