// The file that every worker thread runs. A task never throws across the thread boundary, since an error's code does not
// survive structured clone: it answers with its output or with the plain form of its error.

import { toPlain } from '../errors.ts'
import type { PlainError } from '../errors.ts'
import { handlers } from './tasks.ts'
import type { TaskName } from './tasks.ts'

export interface ThreadTask { name: TaskName; input: unknown }
export type ThreadReply = { ok: true; output: unknown } | { ok: false; error: PlainError }

export default async function perform ({ name, input }: ThreadTask): Promise<ThreadReply> {
  try {
    const handler = handlers[name] as (input: unknown) => Promise<unknown>
    return { ok: true, output: await handler(input) }
  } catch (error) {
    return { ok: false, error: toPlain(error) }
  }
}
