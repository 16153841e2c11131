// Checks of what is seen while it happens, from the moment on at which they begin.

import type { Bus } from '../../bus/types.ts'
import { unpack } from '../../cluster/codec.ts'
import { snapshotSchema } from '../../cluster/episodes.ts'
import { readRecordKey } from '../../cluster/keys.ts'
import { readSample } from '../../cluster/samples.ts'
import type { Say } from './types.ts'

/** Fencing: once another owner has written the snapshot of an episode, no write of a former one is accepted. */
export async function watchOwners (inner: Bus, say: Say, signal: AbortSignal): Promise<void> {
  const owners = new Map<string, { now: string; former: Set<string> }>()
  for await (const entry of inner.kv.episodes.watch('', signal)) {
    if (entry === null || entry.bytes === null) continue
    const { claim } = unpack<{ claim: string }>(entry.bytes, entry.key, snapshotSchema)
    const known = owners.get(entry.key) ?? { now: claim, former: new Set<string>() }
    owners.set(entry.key, known)
    if (known.now === claim) continue
    if (known.former.has(claim)) say('fencing', `${entry.key} was written by ${claim} after ${known.now} had taken it over`)
    known.former.add(known.now)
    known.now = claim
  }
}

export interface Written { records: Set<string>; samples: Set<string> }

/** Every ending and every sample is written once, and never again, unless a user removed it; and one of each rollout has a reward. */
export async function watchWrites (inner: Bus, written: Written, say: Say, signal: AbortSignal): Promise<void> {
  const follow = async (log: 'records' | 'samples'): Promise<void> => {
    const seen = written[log]
    const rewarded = new Set<string>()
    for await (const entry of inner.log[log].follow('', signal)) {
      if (entry === null || (log === 'records' && isNote(entry.key))) continue
      if (seen.has(entry.key)) say(log === 'samples' ? 'samples' : 'settles-once', `${entry.key} was written twice`)
      seen.add(entry.key)
      if (log === 'records') continue
      const { sample } = readSample(entry)
      const rollout = `${entry.key.split('.', 1)[0]!}.${sample.rollout_id}`
      if (sample.reward !== null && rewarded.has(rollout)) say('samples', `${rollout} has a reward twice`)
      if (sample.reward !== null) rewarded.add(rollout)
    }
  }
  await Promise.all([follow('records'), follow('samples')])
}

/** Failures are notes: a server that counts deliveries anew has them written anew. */
const isNote = (key: string): boolean => {
  const name = readRecordKey(key)
  return name?.kind === 'work' && name.entry.startsWith('failed.')
}
