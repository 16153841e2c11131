// Says to the bus that a node is still at what it holds: one watch over all of it.

import type { QueueMessage } from '../bus/types.ts'
import type { Clock } from '../ports.ts'

export interface Holder {
  /** Returns how to let go. */
  hold (message: QueueMessage): () => void
}

/** `over`: the node is gone, and what it still holds is for others, whatever still runs. */
export function createHolder (clock: Clock, ackWaitMs: number, over: AbortSignal): Holder {
  const held = new Set<QueueMessage>()
  let isWatching = false
  async function watch (): Promise<void> {
    isWatching = true
    while (held.size > 0 && !over.aborted) {
      await clock.sleep(Math.max(1, Math.floor(ackWaitMs / 4)), over).catch(() => {})
      if (!over.aborted) for (const message of held) message.working()
    }
    isWatching = false
  }
  return {
    hold (message) {
      held.add(message)
      if (!isWatching) void watch()
      return () => { held.delete(message) }
    }
  }
}
