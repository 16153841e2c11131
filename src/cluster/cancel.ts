// What is left of a run that was given up: its work leaves the queue, and what was dispatched and has no ending gets one, so
// that the ledger balances.

import { keptNow, upToNow } from '../bus/now.ts'
import type { Bus } from '../bus/types.ts'
import type { Clock } from '../ports.ts'
import { ledKinds } from './keys.ts'
import { createLedgerCount } from './ledger.ts'
import type { Records } from './records.ts'
import type { Retry } from './retry.ts'

export interface CancelPorts { bus: Bus; retry: Retry; records: Records; nodeId: string; ports: { clock: Clock } }

export async function cancelRest ({ bus, retry, records, nodeId, ports }: CancelPorts, run: string, reason: string): Promise<void> {
  // The queue first: work that comes onto it later meets a node that knows the run is given up, and ends it.
  for (;;) {
    await retry(() => bus.queue.purge(run, ledKinds))
    const open = await retry(() => openWork(bus, `${run}.work`))
    if (open.length === 0) return await retry(() => removeSnapshots(bus, run))
    for (const work of open) await records.end(run, work, { kind: 'cancelled', reason, delivery: 0, node: nodeId, startedAt: ports.clock.now(), at: ports.clock.now() })
  }
}

/** Their owners remove them too; but an owner that is gone does not, and nobody is given its message any more. */
export async function removeSnapshots (bus: Bus, run: string): Promise<void> {
  for (const key of (await keptNow(bus.kv.episodes, run, () => null)).keys()) await bus.kv.episodes.remove(key)
}

/** Work that was dispatched and has no ending, of those whose keys go on from `prefix`. */
export async function openWork (bus: Bus, prefix: string): Promise<string[]> {
  const count = createLedgerCount()
  for await (const entry of upToNow(signal => bus.log.records.follow(prefix, signal))) count.enter(entry)
  return count.open()
}
