// What a node does about sandboxes beside using them: few start at a time, and what dead owners left on its machine is removed.

import { createLimiter } from '../limiter.ts'
import type { Clock, Sandboxes } from '../ports.ts'

/** How often it is looked for what dead owners left. */
export const reapMsDefault = 60_000

/** Sandboxes that start are bounded apart from those that run: a storm of starts slows everybody. */
export function limitStarts (sandboxes: Sandboxes, startsMax: number): Sandboxes {
  const starts = createLimiter(startsMax)
  return { kind: sandboxes.kind, reap: () => sandboxes.reap(), close: () => sandboxes.close(), open: (spec, signal) => starts.run(() => sandboxes.open(spec, signal), signal) }
}

/** Until the signal aborts. One that fails is tried again at its next time. */
export async function keepReaping (sandboxes: Sandboxes, clock: Clock, everyMs: number, signal: AbortSignal, onRemoved: (removed: string[]) => void = () => {}): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(everyMs, signal).catch(() => {})
    const { removed } = signal.aborted ? { removed: [] } : await sandboxes.reap().catch(() => ({ removed: [] }))
    if (removed.length > 0) onRemoved(removed)
  }
}
