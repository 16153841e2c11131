// What every worker thread runs. A task never throws across the thread boundary, since an error's code does not survive
// structured clone: it answers with its output or with the plain form of its error. Buffers of the answers are moved.

import { move, transferableSymbol, valueSymbol } from 'piscina'
import { toPlain } from '../errors.ts'
import type { PlainError } from '../errors.ts'
import { wholeBuffersOf } from './transfer.ts'

/** Tasks of one message, answered by one. */
export interface ThreadWork { tasks: { name: string; input: unknown }[] }
export type ThreadReply = { ok: true; output: unknown } | { ok: false; error: PlainError }

type Handler = (input: never) => unknown

/** Makes the function that a thread's file exports. Tasks of a message run one after the other. */
export function serve (handlers: Record<string, Handler>): (work: ThreadWork) => Promise<ThreadReply[]> {
  return async ({ tasks }) => {
    const replies: ThreadReply[] = []
    for (const { name, input } of tasks) replies.push(await answer(handlers[name], input))
    const buffers = wholeBuffersOf(replies)
    return buffers.length === 0 ? replies : move({ [transferableSymbol]: buffers, [valueSymbol]: replies } as never) as unknown as ThreadReply[]
  }
}

async function answer (handler: Handler | undefined, input: unknown): Promise<ThreadReply> {
  try {
    return { ok: true, output: await handler!(input as never) }
  } catch (error) {
    return { ok: false, error: toPlain(error) }
  }
}
