// Who is there: every node says so, with what it does, in a bucket whose entries fade when nobody renews them.

import { keptNow } from '../bus/now.ts'
import type { Bus } from '../bus/types.ts'
import type { Clock } from '../ports.ts'
import { pack, unpack } from './codec.ts'
import type { Refusal } from './arenas.ts'
import type { TrainerWait } from './wait-for-trainer.ts'

export interface NodePresence {
  node: string
  host: string
  pid: number
  version: string
  labels: Record<string, string>
  state: string
  /** By kind of slot: how many there are, how many are at work, and what they have done. */
  slots: Record<string, { total: number; busy: number; done: number }>
  arenas: string[]
  refusals: Refusal[]
  /** Deliveries by what became of them. */
  delivered: Record<string, number>
  /** Runs led here that wait for their trainers. */
  waits: TrainerWait[]
  startedAt: number
  at: number
}

/** Says so until the signal aborts. A bus that is away is no reason to stop. */
export async function attendPresence (bus: Bus, clock: Clock, heartbeatMs: number, describe: () => NodePresence, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const presence = describe()
    await bus.kv.nodes.put(presence.node, pack(presence)).catch(() => {})
    await clock.sleep(heartbeatMs, signal).catch(() => {})
  }
}

export function readPresence (bytes: Uint8Array, node: string): NodePresence {
  // A node of before runs waited for trainers says nothing of it.
  const { waits = [], ...presence } = unpack<Omit<NodePresence, 'waits'> & { waits?: TrainerWait[] }>(bytes, `the node ${node}`)
  return { ...presence, waits }
}

/** The nodes that are there now, by name. */
export async function listNodes (bus: Bus): Promise<NodePresence[]> {
  return [...(await keptNow(bus.kv.nodes, '', readPresence)).values()].sort((one, other) => one.node < other.node ? -1 : 1)
}
