// Messages and tools as OpenAI's chat has them on the wire.

import type { AskedTool, ChatMessage, ToolSchema } from '../types.ts'
import { fault } from './faults.ts'
import { fields, list, text, type Fields } from './values.ts'

export function wireMessage (message: ChatMessage): Fields {
  if (message.role === 'tool') return { role: 'tool', content: message.content, tool_call_id: message.toolCallId }
  if (message.role !== 'assistant') return { role: message.role, content: message.content }
  if (message.toolCalls.length === 0) return { role: 'assistant', content: message.content }
  return {
    role: 'assistant',
    content: message.content === '' ? null : message.content,
    tool_calls: message.toolCalls.map(call => ({ id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } }))
  }
}

export const wireTools = (tools: readonly ToolSchema[]): Fields[] => tools.map(tool => ({ type: 'function', function: { name: tool.name, description: tool.description, parameters: tool.parameters } }))

/** `turn` tells calls of different turns apart where a server gives them no id. */
export function readToolCalls (value: unknown, turn: number, most: number): AskedTool[] {
  if (value === undefined || value === null) return []
  const calls = list(value, 'tool_calls')
  if (calls.length > most) throw fault('SERVER_PROTOCOL', 'read the answer', `it has more than ${most} tool calls`)
  return calls.map((entry, index) => {
    const call = fields(entry, 'tool_calls')
    const of = fields(call['function'], 'tool_calls.function')
    const given = of['arguments']
    return {
      id: typeof call['id'] === 'string' && call['id'] !== '' ? call['id'] : `call_${turn}_${index}`,
      name: text(of['name'], 'tool_calls.function.name'),
      // Text by the protocol; some servers send the object itself, or nothing.
      arguments: typeof given === 'string' ? given : JSON.stringify(given ?? {})
    }
  })
}
