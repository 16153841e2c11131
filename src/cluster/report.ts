// What a node says of what it does, to its log and to whoever counts. Codes and reasons of faults may hold what servers said.

export type NodeReport =
  | { type: 'joined' | 'draining' | 'aborting' }
  | { type: 'arenas'; held: string[]; refusals: { target: string; code: string; reason: string }[] }
  | Delivery
  | { type: 'fault'; code: string; reason: string }

/** `work`: its id. `submittedAt`: of its run, milliseconds since 1970; null where the node does not know it. */
export interface Delivery { type: 'delivered'; kind: string; run: string; submittedAt: number | null; work: string; delivery: number; outcome: string; code?: string; reason?: string; startedAt: number; ms: number }
