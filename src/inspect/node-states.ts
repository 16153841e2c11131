// Nodes as whoever looks at them again and again sees them: one whose presence is not renewed is silent, and one whose presence fades
// while it is silent is gone. A node that leaves takes its presence away itself, so it is in the list no more. Only the clock of
// whoever looks counts: a node's own may be off.

import type { InspectLimits } from './limits.ts'
import type { NodeRow } from './protocol.ts'

/** Told who is there now; returns them, and those that are gone, by name. */
export type NodeStates = (there: readonly NodeRow[], now: number) => NodeRow[]

/** `since`: when its presence was first seen as it is; of one that is gone: when that was found. */
interface Seen { row: NodeRow; since: number }

export function createNodeStates ({ silentMs, goneMs, goneMax }: Pick<InspectLimits, 'silentMs' | 'goneMs' | 'goneMax'>): NodeStates {
  let present = new Map<string, Seen>()
  let lookedAt = -Infinity
  const gone = new Map<string, Seen>()
  return (there, now) => {
    // What happened while nobody looked is not known.
    const before: typeof present = now - lookedAt < silentMs ? present : new Map()
    lookedAt = now
    present = new Map(there.map(row => {
      const seen = before.get(row.node)
      const since = seen?.row.seenAt === row.seenAt ? seen.since : now
      return [row.node, { since, row: now - since >= silentMs ? { ...row, state: 'silent' } : row }]
    }))
    for (const [node, { row }] of before) if (!present.has(node) && row.state === 'silent') gone.set(node, { row: { ...row, state: 'gone', actors: null }, since: now })
    for (const [node, { since }] of gone) if (present.has(node) || now - since >= goneMs || gone.size > goneMax) gone.delete(node)
    return [...present.values(), ...gone.values()].map(({ row }) => row).sort((one, other) => one.node < other.node ? -1 : 1)
  }
}
