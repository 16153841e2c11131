// Says to the bus that a node is still at what it holds: one watch over all of it.

import type { QueueMessage } from '../bus/types.ts'
import type { Clock } from '../ports.ts'
import { watchWhile } from '../watch-while.ts'

export interface Holder {
  /** Returns how to let go. */
  hold (message: QueueMessage): () => void
}

/** `over`: the node is gone, and what it still holds is for others, whatever still runs. */
export function createHolder (clock: Clock, ackWaitMs: number, over: AbortSignal): Holder {
  const held = new Set<QueueMessage>()
  const watch = watchWhile({ clock, stepMs: Math.max(1, Math.floor(ackWaitMs / 4)), closed: over }, {
    isEmpty: () => held.size === 0,
    look (now) {
      if (now === Infinity) held.clear()
      for (const message of held) message.working()
    }
  })
  return {
    hold (message) {
      held.add(message)
      watch()
      return () => { held.delete(message) }
    }
  }
}
