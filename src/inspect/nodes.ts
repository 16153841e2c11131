// The nodes that can be looked into: those of a cluster by their presence, or this process alone.

import { createBridgeClient, type BridgeClient } from '../bridge/client.ts'
import { createBridgeServer } from '../bridge/server.ts'
import type { ClientOf } from '../bridge/services.ts'
import { createMemoryBroker } from '../bus/memory.ts'
import type { Bus } from '../bus/types.ts'
import { listNodes } from '../cluster/presence.ts'
import type { Clock } from '../ports.ts'
import type { NodeRow } from './protocol.ts'
import { serveInspect, type Inspected } from './serve.ts'
import { inspectService, type InspectMethods } from './service.ts'

export interface Nodes {
  /** Who is there, without `actors`. */
  list (): Promise<NodeRow[]>
  of (node: string): ClientOf<InspectMethods>
  close (): Promise<void>
}

export function busNodes (bus: Bus, clock: Clock): Nodes {
  const caller = createBridgeClient({ bus, clock })
  return {
    list: async () => (await listNodes(bus)).map(({ node, host, pid, version, state, labels, slots, arenas, refusals, delivered, startedAt, at }): NodeRow => ({
      node, host, pid, version, state, labels, arenas, delivered, startedAt, seenAt: at, actors: null,
      refusals: refusals.map(({ target, code, reason }) => ({ target, code, reason })), slots: Object.entries(slots).map(([kind, slot]) => ({ kind, ...slot }))
    })),
    of: clientsOf(caller),
    close: async () => caller.close()
  }
}

/** This process, over a wire in memory: the same calls. */
export async function ownNode (inspected: Inspected, describe: () => NodeRow): Promise<Nodes> {
  const bus = createMemoryBroker({ clock: inspected.clock }).connect()
  const server = createBridgeServer({ bus, clock: inspected.clock })
  await serveInspect(server, inspected)
  const caller = createBridgeClient({ bus, clock: inspected.clock })
  return {
    list: async () => [describe()],
    of: clientsOf(caller),
    async close () {
      caller.close()
      await server.destroy()
      await bus.close()
    }
  }
}

function clientsOf (caller: BridgeClient): Nodes['of'] {
  return node => caller.of(inspectService(node))
}
