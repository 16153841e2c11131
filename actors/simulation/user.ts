// Whoever puts back what is in quarantine: a process of its own, which may end in the middle of it.

import { createRetry } from '../../src/cluster/retry.ts'
import { listQuarantine, resubmit } from '../../src/cluster/quarantine.ts'
import { readRecordKey, sampleKey } from '../../src/cluster/keys.ts'
import { readSample } from '../../src/cluster/samples.ts'
import { upToNow } from '../../src/bus/now.ts'
import { toPlain } from '../../src/errors.ts'
import { simulatedBus } from '../../src/simulation/bus.ts'
import type { PutBack } from '../../src/simulation/checks/types.ts'
import { createHost } from '../../src/simulation/host.ts'
import { createLink } from '../../src/simulation/link.ts'
import type { World } from './world.ts'

export interface User { readonly state: 'busy' | 'done' | 'crashed' | 'failed' }
export type Users = (run: string, /** Calls of the bus after which it ends in the middle. */ callsMax?: number) => User

export function openUsers (world: World, putBack: PutBack): Users {
  const { time, fates, broker, latency, trace, inner } = world
  const random = world.random.fork('users')
  let users = 0

  /** What was published until now stays. */
  const keepPublished = async (run: string, episode: string): Promise<void> => {
    for await (const entry of upToNow(signal => inner.log.samples.follow(sampleKey(run, episode), signal))) {
      const { sample } = readSample(entry)
      if (sample.reward !== null) putBack.published.set(entry.key, sample.reward)
    }
  }

  return (run, callsMax = Infinity) => {
    const name = `user-${++users}`
    const host = createHost({ name, time })
    const connection = broker.connect()
    let state: User['state'] = 'busy'
    let calls = 0
    const end = (how: User['state']): void => {
      if (state !== 'busy') return
      state = how
      trace(name, how === 'done' ? 'ended' : how)
      host.crash()
      void connection.close()
    }
    const onDone = (what: string, detail: string): void => {
      trace(name, what, detail)
      if (what === 'samples.remove') putBack.forget('samples', detail)
      if (what === 'records.remove') {
        putBack.forget('records', detail)
        const record = readRecordKey(detail)
        if (record?.kind === 'settled') {
          putBack.episodes.add(record.episode)
          void keepPublished(run, record.episode)
        }
      }
      if (++calls >= callsMax) end('crashed')
    }
    const bus = simulatedBus({ inner: connection, server: inner, host, link: createLink({ time, random: random.fork(name), fates, latency }), time, fates, onDone, crash: () => end('crashed') })
    const work = async (): Promise<void> => { await resubmit(bus, createRetry(host.clock), run, await listQuarantine(bus, run)) }
    work().then(() => end('done'), (error: unknown) => {
      trace(name, 'refused', toPlain(error).code)
      end('failed')
    })
    return { get state () { return state } }
  }
}
