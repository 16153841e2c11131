// The service by which a node shows what lives in it: an instance for each node, called by its name. Values and changes are those of
// protocol.ts.

import { defineService, serverStream, unary, type Service } from '../bridge/services.ts'
import type { Action, MachineView } from './protocol.ts'

/** A value whole, or what has changed. */
export type Update = { full: unknown } | { change: unknown }

const methods = {
  /** The definitions of all machines. */
  machines: unary<null, MachineView[]>(),
  /** Topics that a node has: `actors`, `actor/<key>`, and `rollout/<run>/<rollout>/<page>` while it is played there. The first update is whole. */
  watch: serverStream<{ topic: string }, Update>(),
  /** Drains the node, or sends an event to one of its actors. */
  act: unary<Action, null>()
}
export type InspectMethods = typeof methods

/** Names of nodes are fit for a subject: see checkName of src/cluster/keys.ts. */
export const inspectService = (node: string): Service<InspectMethods> =>
  defineService({ name: 'Inspect', instance: node, description: 'What lives in a node of Spar', methods })
