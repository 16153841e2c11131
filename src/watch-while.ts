// One watch over many things that time ends: a timer for each would cost more than what is waited for.

import type { Clock } from './ports.ts'

export interface Watched {
  /** Whether there is anything to watch. */
  isEmpty (): boolean
  /** Looks at the time (milliseconds since 1970); at Infinity, and for the last time, when `closed` aborts. */
  look (now: number): void
  /** Called when nothing is left. */
  onEmpty? (): void
}

/** Returns what has to be called whenever something was added. */
export function watchWhile ({ clock, stepMs, closed }: { clock: Clock; stepMs: number; closed: AbortSignal }, { isEmpty, look, onEmpty }: Watched): () => void {
  let isWatching = false
  return () => {
    if (isWatching) return
    isWatching = true
    void (async () => {
      while (!isEmpty()) {
        await clock.sleep(stepMs, closed).catch(() => {})
        look(closed.aborted ? Infinity : clock.now())
        if (closed.aborted) break
      }
      isWatching = false
      onEmpty?.()
    })()
  }
}
