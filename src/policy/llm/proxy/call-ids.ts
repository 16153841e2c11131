// Ids of tool calls, as an agent sees them: unique within its attempt and of letters that every dialect takes. Inference servers
// promise neither, and an agent that is given an id twice takes the second call for the first. On the way back the server gets its
// own id again, since a template may write it into the prompt.

import type { AskedTool, ChatMessage } from '../types.ts'

export interface CallIds {
  /** The calls of an answer as the agent gets them; `number` of its call. */
  outward (calls: readonly AskedTool[], number: number): AskedTool[]
  /** Messages of the agent as the server knows them. */
  inward (messages: readonly ChatMessage[]): ChatMessage[]
}

const safe = /^[A-Za-z0-9_-]{1,64}$/

export function createCallIds (): CallIds {
  /** Ids that were given out, and what the server calls them. */
  const given = new Map<string, string>()
  const own = (id: string): string => given.get(id) ?? id

  return {
    outward: (calls, number) => calls.map((call, index) => {
      let id = call.id
      for (let again = 0; !safe.test(id) || given.has(id); again++) id = `call_${number}_${index}${again === 0 ? '' : `_${again}`}`
      given.set(id, call.id)
      return { ...call, id }
    }),
    inward: messages => messages.map(message => {
      if (message.role === 'tool') return { ...message, toolCallId: own(message.toolCallId) }
      return message.role === 'assistant' ? { ...message, toolCalls: message.toolCalls.map(call => ({ ...call, id: own(call.id) })) } : message
    })
  }
}
