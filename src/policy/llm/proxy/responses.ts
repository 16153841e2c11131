// OpenAI's responses, as agents speak them: a turn is a list of items, one for its text and one for each call. State that
// OpenAI's own servers would keep is not kept here: every request brings its whole conversation.

import type { Answer, ChatMessage, ToolSchema } from '../types.ts'
import { openaiFault } from './chat.ts'
import { event, usageOf, type Asked, type Dialect, type ReplyTo, type Stream } from './dialect.ts'
import { badRequest } from './faults.ts'
import { contentText, fields, flag, list, number, refuse, text, toolChoice, toolSchema, type Fields } from './read.ts'

const refused = { previous_response_id: [], conversation: [], prompt: [], background: [false], truncation: ['disabled'], top_logprobs: [0] }

function read (body: Fields, { messagesMax, toolsMax }: { messagesMax: number; toolsMax: number }): Asked {
  refuse(body, refused)
  const format = ((body['text'] as Fields | null | undefined)?.['format'] as Fields | null | undefined)?.['type'] ?? 'text'
  if (format !== 'text') throw badRequest('"text.format" may be text alone: another form cannot be passed on to the inference server')
  const input = body['input']
  const items = typeof input === 'string' ? [{ role: 'user', content: input }] : list(input, 'input', messagesMax).map(item => fields(item, 'input'))
  const instructions = body['instructions'] ?? ''
  const { tools, leftOut } = readTools(body['tools'], toolsMax)
  return {
    messages: joinSystem([...instructions === '' ? [] : [{ role: 'system' as const, content: text(instructions, 'instructions') }], ...readItems(items)]),
    tools: toolChoice(body['tool_choice']) === 'none' ? null : tools,
    sampling: {
      temperature: number(body, 'temperature', { min: 0 }), topP: number(body, 'top_p', { min: 0, max: 1 }), topK: number(body, 'top_k', { min: -1, whole: true }), seed: number(body, 'seed', { min: 0, whole: true }),
      maxTokens: number(body, 'max_output_tokens', { min: 1, whole: true })
    },
    stream: flag(body, 'stream'),
    wantsUsage: true,
    leftOut
  }
}

function readTools (value: unknown, most: number): { tools: ToolSchema[] | null; leftOut: string[] } {
  const entries = list(value ?? [], 'tools', most).map(tool => fields(tool, 'tools'))
  const functions = entries.filter(tool => tool['type'] === 'function')
  return {
    tools: functions.length === 0 ? null : functions.map(tool => toolSchema(tool['name'], tool['description'], tool['parameters'])),
    leftOut: entries.filter(tool => tool['type'] !== 'function').map(tool => String(tool['name'] ?? tool['type']).slice(0, 50))
  }
}

/** Items of one turn become one message: its text, and the calls behind it. */
function readItems (items: readonly Fields[]): ChatMessage[] {
  const messages: ChatMessage[] = []
  for (const item of items) {
    const type = item['type'] ?? 'message'
    // What a model thought is not ours: no answer of ours has any.
    if (type === 'reasoning') continue
    if (type === 'message') messages.push(readMessage(item))
    else if (type === 'function_call') {
      const call = { id: text(item['call_id'], 'input.call_id'), name: text(item['name'], 'input.name'), arguments: text(item['arguments'], 'input.arguments') }
      const last = messages.at(-1)
      if (last?.role === 'assistant') last.toolCalls.push(call)
      else messages.push({ role: 'assistant', content: '', toolCalls: [call] })
    } else if (type === 'function_call_output') {
      messages.push({ role: 'tool', content: contentText(item['output'], 'input.output', ['input_text', 'output_text', 'text']), toolCallId: text(item['call_id'], 'input.call_id') })
    } else throw badRequest(`"input" holds an item of type ${JSON.stringify(type).slice(0, 50)}: it takes message, function_call, function_call_output and reasoning`)
  }
  return messages
}

function readMessage (item: Fields): ChatMessage {
  const content = contentText(item['content'], 'input.content', ['input_text', 'output_text', 'text', 'refusal'])
  switch (item['role']) {
    case 'system': case 'developer': return { role: 'system', content }
    case 'user': return { role: 'user', content }
    case 'assistant': return { role: 'assistant', content, toolCalls: [] }
    default: throw badRequest(`"input" has a role ${JSON.stringify(item['role'])?.slice(0, 50)}: it takes system, developer, user and assistant`)
  }
}

/** Instructions and the first messages of the developer as one system message: most templates know only one, at the start. */
function joinSystem (messages: ChatMessage[]): ChatMessage[] {
  const first = messages.findIndex(message => message.role !== 'system')
  const system = first === -1 ? messages : messages.slice(0, first)
  return system.length < 2 ? messages : [{ role: 'system', content: system.map(message => message.content).join('\n\n') }, ...messages.slice(system.length)]
}

function itemsOf ({ text: said, toolCalls, finishReason }: Answer, { id }: ReplyTo): Fields[] {
  const status = finishReason === 'length' || finishReason === 'refused' ? 'incomplete' : 'completed'
  const message = { id: `msg_${id}`, type: 'message', status, role: 'assistant', content: [{ type: 'output_text', text: said, annotations: [], logprobs: [] }] }
  return [
    ...said === '' && toolCalls.length > 0 ? [] : [message],
    ...toolCalls.map((call, index) => ({ id: `fc_${id}_${index}`, type: 'function_call', status, call_id: call.id, name: call.name, arguments: call.arguments }))
  ]
}

const shell = ({ id, createdAt, model, asked }: ReplyTo): Fields => ({
  id: `resp_${id}`, object: 'response', created_at: Math.floor(createdAt / 1000), status: 'in_progress', background: false, error: null, incomplete_details: null, instructions: null, max_output_tokens: asked.sampling.maxTokens,
  metadata: {}, model, output: [], parallel_tool_calls: true, previous_response_id: null, store: false, temperature: asked.sampling.temperature, text: { format: { type: 'text' } },
  tool_choice: 'auto', tools: [], top_p: asked.sampling.topP, truncation: 'disabled', usage: null
})

const incomplete: Partial<Record<Answer['finishReason'], string>> = { length: 'max_output_tokens', refused: 'content_filter' }

function whole (answer: Answer, to: ReplyTo): Fields {
  const { prompt, completion, cached } = usageOf(answer)
  const reason = incomplete[answer.finishReason]
  return {
    ...shell(to),
    status: reason === undefined ? 'completed' : 'incomplete',
    incomplete_details: reason === undefined ? null : { reason },
    output: itemsOf(answer, to),
    usage: { input_tokens: prompt, input_tokens_details: { cached_tokens: cached }, output_tokens: completion, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: prompt + completion }
  }
}

function stream (to: ReplyTo): Stream {
  let sequence = 0
  const say = (type: string, data: Fields): string => event({ type, sequence_number: sequence++, ...data }, type)
  const open = (): string => sequence > 0 ? '' : say('response.created', { response: shell(to) }) + say('response.in_progress', { response: shell(to) })
  return {
    open,
    // A comment is nothing to a client that counts events to know that it is not forgotten.
    pulse: () => open() + say('response.in_progress', { response: shell(to) }),
    answer (answer) {
      const response = whole(answer, to)
      const opening = open()
      const items = (response['output'] as Fields[]).map((item, index) => (item['type'] === 'message' ? messageEvents : callEvents)(item, index, say))
      return [opening, ...items, say(`response.${String(response['status'])}`, { response })].join('')
    },
    fault (told) {
      const { error: { message, code } } = openaiFault(told)
      return open() + say('response.failed', { response: { ...shell(to), status: 'failed', error: { code: code ?? 'server_error', message } } })
    }
  }
}

type Say = (type: string, data: Fields) => string

function messageEvents (item: Fields, index: number, say: Say): string {
  const part = (item['content'] as Fields[])[0]!
  const place = { item_id: item['id'], output_index: index, content_index: 0 }
  return [
    say('response.output_item.added', { output_index: index, item: { ...item, status: 'in_progress', content: [] } }),
    say('response.content_part.added', { ...place, part: { ...part, text: '' } }),
    say('response.output_text.delta', { ...place, delta: part['text'], logprobs: [] }),
    say('response.output_text.done', { ...place, text: part['text'], logprobs: [] }),
    say('response.content_part.done', { ...place, part }),
    say('response.output_item.done', { output_index: index, item })
  ].join('')
}

function callEvents (item: Fields, index: number, say: Say): string {
  const place = { item_id: item['id'], output_index: index }
  return [
    say('response.output_item.added', { output_index: index, item: { ...item, status: 'in_progress', arguments: '' } }),
    say('response.function_call_arguments.delta', { ...place, delta: item['arguments'] }),
    say('response.function_call_arguments.done', { ...place, name: item['name'], arguments: item['arguments'] }),
    say('response.output_item.done', { output_index: index, item })
  ].join('')
}

export const responses: Dialect = { read, whole, stream, fault: openaiFault }
