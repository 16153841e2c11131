// What users put back out of quarantine, and what is known of it.

import { readRecordKey } from '../../src/cluster/keys.ts'
import { listQuarantine, resubmit } from '../../src/cluster/quarantine.ts'
import { createRetry } from '../../src/cluster/retry.ts'
import { episodeIdOf, numberOfWork } from '../../src/run/draw.ts'
import type { PutBack } from '../../src/simulation/checks/types.ts'
import type { User, UserOptions, Users } from './user.ts'

/** All that a run has in quarantine. */
export function putBackAll (users: Users, putBack: PutBack, run: string, { callsMax, onEnd }: Pick<UserOptions, 'callsMax' | 'onEnd'> & { callsMax: number }): User {
  const onDone = (what: string, detail: string): void => {
    const record = what.startsWith('records.') ? readRecordKey(detail) : null
    if (record?.kind === 'back' && what === 'records.create') putBack.times++
    if (record?.kind !== 'work' || !/^records\.remove\+?$/.test(what)) return
    putBack.forget(detail)
    if (record.entry !== 'ended') return
    const episode = `${run}.${episodeIdOf(numberOfWork(record.work))}`
    putBack.works.set(episode, (putBack.works.get(episode) ?? new Set<string>()).add(record.work))
  }
  return users(async (bus, clock) => { await resubmit(bus, createRetry(clock), run, await listQuarantine(bus, run)) }, { callsMax, onDone, ...onEnd === undefined ? {} : { onEnd } })
}
