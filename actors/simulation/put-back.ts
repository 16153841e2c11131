// What users put back out of quarantine, and what is known of it: rewards that were published stay.

import { upToNow } from '../../src/bus/now.ts'
import { readRecordKey, sampleKey } from '../../src/cluster/keys.ts'
import { listQuarantine, resubmit } from '../../src/cluster/quarantine.ts'
import { createRetry } from '../../src/cluster/retry.ts'
import { readSample } from '../../src/cluster/samples.ts'
import type { PutBack } from '../../src/simulation/checks/types.ts'
import type { User, Users } from './user.ts'
import type { World } from './world.ts'

/** All that a run has in quarantine. */
export function putBackAll ({ inner }: World, users: Users, putBack: PutBack, run: string, callsMax: number): User {
  /** What was published until now stays. */
  const keepPublished = async (episode: string): Promise<void> => {
    for await (const entry of upToNow(signal => inner.log.samples.follow(sampleKey(run, episode), signal))) {
      const { sample } = readSample(entry)
      if (sample.reward !== null) putBack.published.set(entry.key, sample.reward)
    }
  }
  const onDone = (what: string, detail: string): void => {
    if (what === 'samples.remove') putBack.forget('samples', detail)
    if (what !== 'records.remove') return
    putBack.forget('records', detail)
    const record = readRecordKey(detail)
    if (record?.kind !== 'settled') return
    putBack.episodes.add(`${run}.${record.episode}`)
    void keepPublished(record.episode)
  }
  return users(async (bus, clock) => { await resubmit(bus, createRetry(clock), run, await listQuarantine(bus, run)) }, { callsMax, onDone })
}
