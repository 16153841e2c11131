// A breaker that plays until somebody cancels it: real machine and work, a policy that never answers, a sandbox that does nothing.

import type { WorkHandler, Workplace } from '../../actors/work/types.ts'
import { handleBreak } from '../../actors/work/break.ts'
import { names } from '../../actors/observe.ts'
import { systemClock } from '../../src/clock.ts'
import type { Registry } from '../../src/inspect/registry.ts'
import { rowOf } from '../../src/inspect/rows.ts'
import type { Policy, Sandbox, Sandboxes } from '../../src/ports.ts'

const place: Sandbox = {
  id: 's', kind: 'process', isolation: 'none', tree: '/tree', scratch: '/scratch', readFile: async () => new Uint8Array(), writeFile: async () => {}, destroy: async () => {},
  exec: async () => ({ exitCode: 0, output: Buffer.from(''), truncatedBytes: 0, killed: null, durationMs: 1 })
}
const sandboxes: Sandboxes = { kind: 'process', open: async () => place, reap: async () => ({ removed: [] }), close: async () => {} }
const policy: Policy = {
  name: 'p', version: '1',
  start: () => ({ next: async (_, signal) => await new Promise<never>((_, reject) => { signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }) }), close: async () => {} })
}

export const breakUntilCancelled: WorkHandler = async (workplace: Workplace, delivery) =>
  await handleBreak({ ...workplace, ports: { ...workplace.ports, clock: systemClock, sandboxes, policies: { breaker: policy, solver: policy } } } as Workplace, delivery)

/** As the page does it, once the rollout asks its policy. */
export async function cancelByHand (registry: Registry, run: string, rollout: string): Promise<void> {
  for (let left = 1_000; left > 0; left--) {
    const known = registry.named(names.rollout(run, rollout))
    if (known !== null && rowOf(known).state === 'asking') return known.look.send(known.subject, 'rollout.cancel')
    await systemClock.sleep(10)
  }
  throw new Error(`${rollout} of ${run} never asked its policy`)
}
