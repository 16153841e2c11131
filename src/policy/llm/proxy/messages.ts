// Anthropic's messages, as agents speak them: the system beside the conversation, calls and their results as blocks, the
// arguments of a call as an object.

import type { Answer, AskedTool, ChatMessage, ToolSchema } from '../types.ts'
import { argumentsObject, event, usageOf, type Asked, type Dialect, type ReplyTo, type Stream } from './dialect.ts'
import { badRequest, type FaultKind, type Told } from './faults.ts'
import { contentText, fields, flag, isFields, list, number, partsMax, refuse, text, toolChoice, toolSchema, type Fields } from './read.ts'

const refused = { stop_sequences: [], mcp_servers: [], container: [] }

function read (body: Fields, { messagesMax, toolsMax }: { messagesMax: number; toolsMax: number }): Asked {
  refuse(body, refused)
  const system = readSystem(body['system'])
  const { tools, leftOut } = readTools(body['tools'], toolsMax)
  const maxTokens = number(body, 'max_tokens', { min: 1, whole: true })
  if (maxTokens === null) throw badRequest('"max_tokens" is missing')
  return {
    messages: [...system === '' ? [] : [{ role: 'system' as const, content: system }], ...list(body['messages'], 'messages', messagesMax).flatMap(message => readMessage(fields(message, 'messages')))],
    tools: toolChoice(body['tool_choice']) === 'none' ? null : tools,
    sampling: { temperature: number(body, 'temperature', { min: 0 }), topP: number(body, 'top_p', { min: 0, max: 1 }), topK: number(body, 'top_k', { min: 0, whole: true }), seed: null, maxTokens },
    stream: flag(body, 'stream'),
    wantsUsage: true,
    leftOut
  }
}

/**
 * Without the block that Claude Code puts in front of its system for the vendor's accounts: it changes with every request, so
 * no prompt would go on from the one before.
 */
function readSystem (value: unknown): string {
  const blocks = Array.isArray(value) ? value.filter(block => !(isFields(block) && typeof block['text'] === 'string' && block['text'].startsWith('x-anthropic-billing-header:'))) : value
  return contentText(blocks, 'system', ['text'])
}

/** Tools with a type of their own run on the vendor's servers, or have a schema that only its models know. */
function readTools (value: unknown, most: number): { tools: ToolSchema[] | null; leftOut: string[] } {
  const entries = list(value ?? [], 'tools', most).map(tool => fields(tool, 'tools'))
  const isOwn = (tool: Fields): boolean => tool['type'] === undefined || tool['type'] === null || tool['type'] === 'custom'
  const own = entries.filter(isOwn)
  return {
    tools: own.length === 0 ? null : own.map(tool => toolSchema(tool['name'], tool['description'], tool['input_schema'])),
    leftOut: entries.filter(tool => !isOwn(tool)).map(tool => String(tool['name'] ?? tool['type']).slice(0, 50))
  }
}

function readMessage (message: Fields): ChatMessage[] {
  switch (message['role']) {
    case 'system': return [{ role: 'system', content: contentText(message['content'], 'messages.content', ['text']) }]
    case 'assistant': return [readAssistant(message['content'])]
    case 'user': return readUser(message['content'])
    default: throw badRequest(`"messages" has a role ${JSON.stringify(message['role'])?.slice(0, 50)}: it takes user, assistant and system`)
  }
}

function readAssistant (content: unknown): ChatMessage {
  const blocks = Array.isArray(content) ? list(content, 'messages.content', partsMax).map(block => fields(block, 'messages.content')) : null
  const toolCalls = (blocks ?? []).filter(block => block['type'] === 'tool_use').map((block): AskedTool =>
    ({ id: text(block['id'], 'messages.content.id'), name: text(block['name'], 'messages.content.name'), arguments: JSON.stringify(block['input'] ?? {}) }))
  return { role: 'assistant', content: contentText(content, 'messages.content', ['text'], ['tool_use', 'thinking', 'redacted_thinking']), toolCalls }
}

/** Results of calls are messages of their own; the texts between them stay in order. */
function readUser (content: unknown): ChatMessage[] {
  if (!Array.isArray(content)) return [{ role: 'user', content: contentText(content, 'messages.content', ['text']) }]
  const messages: ChatMessage[] = []
  let texts: Fields[] = []
  const flush = (): void => {
    if (texts.length > 0) messages.push({ role: 'user', content: contentText(texts, 'messages.content', ['text']) })
    texts = []
  }
  for (const value of list(content, 'messages.content', partsMax)) {
    const block = fields(value, 'messages.content')
    if (block['type'] !== 'tool_result') texts.push(block)
    else {
      flush()
      messages.push({ role: 'tool', content: contentText(block['content'], 'messages.content.content', ['text']), toolCallId: text(block['tool_use_id'], 'messages.content.tool_use_id') })
    }
  }
  flush()
  return messages
}

const reasons: Record<Answer['finishReason'], string> = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use', refused: 'refusal' }

function wireUsage (answer: Answer): Fields {
  const { prompt, completion, cached } = usageOf(answer)
  return { input_tokens: prompt - cached, cache_creation_input_tokens: 0, cache_read_input_tokens: cached, output_tokens: completion }
}

function whole (answer: Answer, { id, model }: ReplyTo): Fields {
  const content: Fields[] = [
    ...answer.text === '' ? [] : [{ type: 'text', text: answer.text }],
    ...answer.toolCalls.map(call => ({ type: 'tool_use', id: call.id, name: call.name, input: argumentsObject(call) }))
  ]
  return { id: `msg_${id}`, type: 'message', role: 'assistant', model, content, stop_reason: reasons[answer.finishReason], stop_sequence: null, usage: wireUsage(answer) }
}

function stream (to: ReplyTo): Stream {
  const say = (type: string, data: Fields): string => event({ type, ...data }, type)
  return {
    open: () => '',
    pulse: () => say('ping', {}),
    answer (answer) {
      const message = whole(answer, to)
      const usage = message['usage'] as Fields
      return [
        say('message_start', { message: { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 0 } } }),
        ...(message['content'] as Fields[]).map((block, index) => blockEvents(block, index, say)),
        say('message_delta', { delta: { stop_reason: message['stop_reason'], stop_sequence: null }, usage }),
        say('message_stop', {})
      ].join('')
    },
    fault: told => event(fault(told), 'error')
  }
}

function blockEvents (block: Fields, index: number, say: (type: string, data: Fields) => string): string {
  const isText = block['type'] === 'text'
  return [
    say('content_block_start', { index, content_block: isText ? { ...block, text: '' } : { ...block, input: {} } }),
    say('content_block_delta', { index, delta: isText ? { type: 'text_delta', text: block['text'] } : { type: 'input_json_delta', partial_json: JSON.stringify(block['input']) } }),
    say('content_block_stop', { index })
  ].join('')
}

const types: Record<FaultKind, string> = {
  invalid: 'invalid_request_error', too_long: 'invalid_request_error', too_large: 'request_too_large', not_found: 'not_found_error',
  busy: 'rate_limit_error', overloaded: 'overloaded_error', timeout: 'timeout_error', failed: 'api_error'
}

function fault (told: Told): Fields {
  const { tokens } = told
  const long = `prompt is too long${tokens === null ? '' : `: ${tokens.prompt} tokens > ${tokens.most} maximum`}`
  return { type: 'error', error: { type: types[told.kind], message: told.kind === 'too_long' ? long : told.message } }
}

export const messages: Dialect = { read, whole, stream, fault }
