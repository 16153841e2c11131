// Turns a program into a policy session. A procedural policy is an async generator: it yields a step (what it says and
// the tool call), and gets the observation back. What does not fit: a program may end without submitting; its last
// sentence, the return value, then becomes the fault of a reply without a call.

import type { Observation, Reply, ToolCall } from '../../domain.ts'
import { SparError } from '../../errors.ts'
import type { PolicySession } from '../../ports.ts'

/** One turn: a sentence for people (what it does and why), and the call. */
export interface Step { text: string; call: ToolCall }

/** A program, or a part of one that answers with `Result` and is joined in by `yield*`. */
export type Play<Result = string | void> = AsyncGenerator<Step, Result, Observation>

export async function * act (text: string, call: ToolCall): Play<Observation> {
  return yield { text, call }
}

/** Runs a bash command. */
export const bash = (text: string, command: string): Play<Observation> => act(text, { tool: 'bash', command })

/** A rejection of `next` means a defect of the program or an abort, both never scored. */
export function createProceduralSession (play: Play): PolicySession {
  let ended: string | null = null
  return {
    async next (observation, signal) {
      if (ended !== null) return givenUp(ended)
      const step = await orAborted(observation === null ? play.next() : play.next(observation), signal)
      if (!step.done) return { text: step.value.text, call: step.value.call, fault: null }
      ended = step.value || 'The program has ended.'
      return givenUp(ended)
    },
    async close () {
      ended ??= 'The session was closed.'
      // A generator that still waits for a worker cannot be ended from outside: it is let go, never awaited.
      play.return('').catch(() => {})
    }
  }
}

const givenUp = (sentence: string): Reply => ({ text: sentence, call: null, fault: sentence, ends: true })

async function orAborted<T> (work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(new SparError('POLICY_ABORTED', 'The procedural policy was aborted', { retryable: true }))
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
    work.catch(() => {})
  }
}
