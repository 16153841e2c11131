// Listening to signals that live long, and leaving nothing behind on them: `AbortSignal.any` keeps what was made of a long-lived
// signal for as long as somebody listens to it, which is for ever where nobody stops.

import { setMaxListeners } from 'node:events'

/** Calls once when the first of them aborts, at once where one has. The answer stops listening. */
export function onAbort (signals: readonly AbortSignal[], call: () => void): () => void {
  const leave = (): void => { for (const signal of signals) signal.removeEventListener('abort', hear) }
  const hear = (): void => { leave(); call() }
  if (signals.some(({ aborted }) => aborted)) {
    call()
    return () => {}
  }
  // As many wait as there are slots and readers; none of them stays.
  setMaxListeners(0, ...signals)
  for (const signal of signals) signal.addEventListener('abort', hear)
  return leave
}

/** A controller that also aborts with any of the signals, for its reason; `leave` ends that. */
export function linked (signals: readonly AbortSignal[]): { controller: AbortController; leave: () => void } {
  const controller = new AbortController()
  return { controller, leave: onAbort(signals, () => controller.abort(signals.find(({ aborted }) => aborted)!.reason)) }
}

/** Does something under a signal that aborts with any of these, and leaves them when it is done. */
export async function underAny<Done> (signals: readonly AbortSignal[], act: (signal: AbortSignal) => Promise<Done>): Promise<Done> {
  const { controller, leave } = linked(signals)
  try {
    return await act(controller.signal)
  } finally { leave() }
}

/** Null where one of the signals aborts before the answer is there; what comes of it then is for whoever gives it. */
export function orAborted<Answer> (answer: Promise<Answer>, signals: readonly AbortSignal[]): Promise<Answer | null> {
  return new Promise((resolve, reject) => {
    const leave = onAbort(signals, () => resolve(null))
    answer.finally(leave).then(resolve, reject)
  })
}
