// The chunks of a streamed chat completion, put together to the answer that the server would have given in one piece. Text,
// token ids, logprobs and the arguments of tool calls come in parts; the usage comes last, in a chunk without a choice.

import { fault } from './faults.ts'
import type { ServerLimits } from './limits.ts'
import { fields, list, type Fields } from './values.ts'

export interface Assembly {
  add (chunk: unknown): void
  /** The whole answer; SERVER_ERROR where the stream ended before the completion did. */
  end (): Fields
}

interface Call { id: string | null; name: string; parts: string[] }

export function createAssembly (address: string, limits: ServerLimits): Assembly {
  const content: string[] = []
  const refusal: string[] = []
  const calls: Call[] = []
  const tokens: unknown[] = []
  const entries: unknown[] = []
  let hasTokens = false
  let hasLogprobs = false
  let prompt: unknown = null
  let usage: unknown = null
  let reason: unknown = null

  const addCall = (value: unknown): void => {
    const part = fields(value, 'delta.tool_calls')
    const index = typeof part['index'] === 'number' ? part['index'] : calls.length
    if (!Number.isInteger(index) || index < 0 || index >= limits.toolCallsMax) throw fault('SERVER_PROTOCOL', 'read the answer', `it has more than ${limits.toolCallsMax} tool calls`)
    const call = calls[index] ??= { id: null, name: '', parts: [] }
    const of = (part['function'] ?? {}) as Fields
    if (typeof part['id'] === 'string' && part['id'] !== '') call.id = part['id']
    if (typeof of['name'] === 'string') call.name += of['name']
    if (typeof of['arguments'] === 'string') call.parts.push(of['arguments'])
  }

  const addChoice = (choice: Fields): void => {
    const delta = (choice['delta'] ?? {}) as Fields
    if (typeof delta['content'] === 'string') content.push(delta['content'])
    if (typeof delta['refusal'] === 'string') refusal.push(delta['refusal'])
    for (const part of list(delta['tool_calls'] ?? [], 'delta.tool_calls')) addCall(part)
    if (choice['prompt_token_ids'] != null) prompt ??= choice['prompt_token_ids']
    if (choice['token_ids'] != null) {
      hasTokens = true
      for (const id of list(choice['token_ids'], 'token_ids')) tokens.push(id)
    }
    const logprobs = (choice['logprobs'] as Fields | null | undefined)?.['content']
    if (logprobs != null) {
      hasLogprobs = true
      for (const entry of list(logprobs, 'logprobs.content')) entries.push(entry)
    }
    if (choice['finish_reason'] != null) reason = choice['finish_reason']
  }

  return {
    add (chunk) {
      const event = fields(chunk, 'event')
      const error = event['error'] as { message?: unknown } | string | null | undefined
      if (error != null) throw fault('SERVER_ERROR', `take the completion of ${address}`, `the server failed in the middle of it and says "${String(typeof error === 'object' ? error.message : error).slice(0, 300)}"`)
      if (event['prompt_token_ids'] != null) prompt ??= event['prompt_token_ids']
      if (event['usage'] != null) usage = event['usage']
      // One completion is asked for, so there is one choice, or none in the chunk of the usage.
      const choice = list(event['choices'] ?? [], 'choices')[0]
      if (choice !== undefined) addChoice(fields(choice, 'choices[0]'))
    },
    end () {
      if (reason === null) throw fault('SERVER_ERROR', `take the completion of ${address}`, 'the stream ended before it did')
      return {
        prompt_token_ids: prompt,
        usage,
        choices: [{
          message: {
            content: content.length > 0 ? content.join('') : null,
            ...refusal.length > 0 ? { refusal: refusal.join('') } : {},
            // A hole in the indices would be a call that was never named.
            tool_calls: Array.from(calls, call => ({ id: call?.id ?? null, function: { name: call?.name, arguments: call?.parts.join('') } }))
          },
          token_ids: hasTokens ? tokens : null,
          logprobs: hasLogprobs ? { content: entries } : null,
          finish_reason: reason
        }]
      }
    }
  }
}
