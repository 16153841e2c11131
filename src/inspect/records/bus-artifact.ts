// The artifact of a bug, from the endings of the work that made it: what was verified, else what was submitted; of the second order
// what was promoted.

import type { Artifact } from '../../artifact/index.ts'
import type { Bus } from '../../bus/types.ts'
import { readEndingArtifact, type Ending } from '../../cluster/records.ts'
import type { Retry } from '../../cluster/retry.ts'
import { breakId, promoteId, verifyId } from '../../run/ids.ts'

interface Ports { bus: Bus; retry: Retry; endingOf (work: string): Promise<Ending | null> }

export async function readArtifact ({ bus, retry, endingOf }: Ports, { episode, order }: { episode: string; order: number }): Promise<Artifact | null> {
  for (const work of order > 1 ? [promoteId(episode, order)] : [verifyId(episode), breakId(episode)]) {
    const ending = await endingOf(work)
    const artifact = ending === null ? null : await readEndingArtifact(bus, retry, ending)
    if (artifact !== null) return artifact
  }
  return null
}
