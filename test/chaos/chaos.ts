// The hand that chaos is dealt by: every few seconds a fault, drawn from the seed, on something that is well. Faults overlap;
// each has its turn before one comes again, so that a short run meets all of them.

import type { Random } from '../../src/ports.ts'
import { faultKinds, startFault, type FaultKind, type World } from './faults.ts'
import { sleep } from './processes.ts'

export interface ChaosOptions { random: Random; kinds?: readonly FaultKind[]; pauseMs: { min: number; max: number }; until: () => boolean; onFault: (kind: FaultKind, on: string) => void; onTrouble: (what: string) => void }

/** How long a fault waits for something to be done to, before another is dealt. */
const patienceMs = 5_000

/** Resolves when everything that was taken is given back: how often each fault was dealt. */
export async function playChaos (world: World, { random, kinds = faultKinds, pauseMs, until, onFault, onTrouble }: ChaosOptions): Promise<Record<FaultKind, number>> {
  const counts = Object.fromEntries(faultKinds.map(kind => [kind, 0])) as Record<FaultKind, number>
  const ill = new Set<string>()
  const running = new Set<Promise<void>>()
  const tend = async (name: string, over: Promise<void>): Promise<void> => {
    ill.add(name)
    await over.catch((error: unknown) => onTrouble(`${name}: ${(error as Error).message}`)).finally(() => ill.delete(name))
  }
  const deal = async (kind: FaultKind): Promise<void> => {
    for (const since = Date.now(); Date.now() - since < patienceMs && !until(); await sleep(100)) {
      const fault = startFault(kind, world, random, name => !ill.has(name))
      if (fault === null) continue
      counts[kind]++
      onFault(kind, fault.on)
      const tended = tend(kind === 'sandbox' ? `sandbox of ${fault.on}` : fault.on, fault.over)
      running.add(tended)
      void tended.finally(() => running.delete(tended))
      return
    }
  }
  const wait = async (ms: number): Promise<void> => { for (const since = Date.now(); Date.now() - since < ms && !until();) await sleep(100) }
  for (let hand: FaultKind[] = []; !until();) {
    await wait(pauseMs.min + random.next() * (pauseMs.max - pauseMs.min))
    if (hand.length === 0) hand = random.shuffle(kinds)
    if (!until()) await deal(hand.pop()!)
  }
  await Promise.all(running)
  return counts
}
