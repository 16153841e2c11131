// Fencing, watched while it happens: once another owner has written the snapshot of an episode, no write of a former one is accepted.

import type { Bus } from '../../bus/types.ts'
import { unpack } from '../../cluster/codec.ts'
import type { Say } from './types.ts'

/** Follows the bucket until the signal aborts. */
export async function watchOwners (inner: Bus, say: Say, signal: AbortSignal): Promise<void> {
  const owners = new Map<string, { now: string; former: Set<string> }>()
  for await (const entry of inner.kv.episodes.watch('', signal)) {
    if (entry === null) continue
    // Removed: whoever comes now starts anew, and may be anybody.
    if (entry.bytes === null) continue
    const { claim } = unpack<{ claim: string }>(entry.bytes, entry.key)
    const known = owners.get(entry.key) ?? { now: claim, former: new Set<string>() }
    owners.set(entry.key, known)
    if (known.now === claim) continue
    if (known.former.has(claim)) say('fencing', `${entry.key} was written by ${claim} after ${known.now} had taken it over`)
    known.former.add(known.now)
    known.now = claim
  }
}
