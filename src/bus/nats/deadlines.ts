// One watch over many deadlines: a timer for each would cost more than what is waited for.

import type { Link } from './link.ts'

export interface Watched {
  /** Whether there is anything to watch. */
  isEmpty (): boolean
  /** Ends what is overdue at a time (milliseconds since 1970); Infinity when the bus is closed. */
  expire (now: number): void
  /** Called when nothing is left. */
  onEmpty? (): void
}

/** Returns what has to be called whenever something was added. */
export function watchDeadlines ({ clock, limits, closed }: Pick<Link, 'clock' | 'closed'> & { limits: Pick<Link['limits'], 'deadlineStepMs'> }, { isEmpty, expire, onEmpty }: Watched): () => void {
  let isWatching = false
  return () => {
    if (isWatching) return
    isWatching = true
    void (async () => {
      while (!isEmpty()) {
        await clock.sleep(limits.deadlineStepMs, closed).catch(() => {})
        expire(closed.aborted ? Infinity : clock.now())
      }
      isWatching = false
      onEmpty?.()
    })()
  }
}
