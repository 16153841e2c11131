// Waiting of simulated things, which an abort ends with their own error.

import type { Clock } from '../ports.ts'

export async function sleepOr (clock: Clock, ms: number, signal: AbortSignal | undefined, aborted: () => Error): Promise<void> {
  try {
    await clock.sleep(ms, signal)
  } catch (error) {
    throw signal?.aborted ? aborted() : error
  }
}

/** Ends by an abort alone. */
export const hanging = async (signal: AbortSignal | undefined, aborted: () => Error): Promise<never> => await new Promise<never>((_resolve, reject) => {
  if (signal?.aborted) reject(aborted())
  else signal?.addEventListener('abort', () => reject(aborted()), { once: true })
})
