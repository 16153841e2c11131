// OpenAI's chat completions, as agents speak them.

import type { Answer, AskedTool, ChatMessage, ToolSchema } from '../types.ts'
import { event, usageOf, type Asked, type Dialect, type ReplyTo } from './dialect.ts'
import { badRequest, type FaultKind, type Told } from './faults.ts'
import { contentText, fields, flag, isFields, list, number, refuse, text, toolChoice, toolSchema, type Fields } from './read.ts'

/** What would change the answer, with the values that ask for what is done anyway. */
const refused = {
  n: [1], stop: [], functions: [], function_call: ['none', 'auto'], logit_bias: [], frequency_penalty: [0], presence_penalty: [0], audio: [], prediction: [], logprobs: [false], top_logprobs: [0],
  // Words of open servers.
  min_p: [0], repetition_penalty: [1], stop_token_ids: [], guided_json: [], guided_regex: [], guided_choice: [], guided_grammar: [], structured_outputs: []
}

function read (body: Fields, { messagesMax, toolsMax }: { messagesMax: number; toolsMax: number }): Asked {
  refuse(body, refused)
  const format = (body['response_format'] as Fields | null | undefined)?.['type'] ?? 'text'
  if (format !== 'text') throw badRequest('"response_format" may be text alone: another form cannot be passed on to the inference server')
  const { tools, leftOut } = readTools(body['tools'], toolsMax)
  const options = body['stream_options']
  return {
    messages: list(body['messages'], 'messages', messagesMax).map(message => readMessage(fields(message, 'messages'), messagesMax)),
    tools: toolChoice(body['tool_choice']) === 'none' ? null : tools,
    sampling: {
      temperature: number(body, 'temperature', { min: 0 }), topP: number(body, 'top_p', { min: 0, max: 1 }), topK: number(body, 'top_k', { min: -1, whole: true }), seed: number(body, 'seed', { min: 0, whole: true }),
      maxTokens: number(body, 'max_completion_tokens', { min: 1, whole: true }) ?? number(body, 'max_tokens', { min: 1, whole: true })
    },
    stream: flag(body, 'stream'),
    wantsUsage: isFields(options) && options['include_usage'] === true,
    leftOut
  }
}

function readTools (value: unknown, most: number): { tools: ToolSchema[] | null; leftOut: string[] } {
  const entries = list(value ?? [], 'tools', most).map(tool => fields(tool, 'tools'))
  const functions = entries.filter(tool => tool['type'] === 'function').map(tool => fields(tool['function'], 'tools.function'))
  return {
    tools: functions.length === 0 ? null : functions.map(of => toolSchema(of['name'], of['description'], of['parameters'])),
    leftOut: entries.filter(tool => tool['type'] !== 'function').map(tool => String(tool['type']).slice(0, 50))
  }
}

function readMessage (message: Fields, messagesMax: number): ChatMessage {
  const content = (): string => contentText(message['content'], 'messages.content', ['text', 'refusal'])
  switch (message['role']) {
    case 'system': case 'developer': return { role: 'system', content: content() }
    case 'user': return { role: 'user', content: content() }
    case 'tool': return { role: 'tool', content: content(), toolCallId: text(message['tool_call_id'], 'messages.tool_call_id') }
    case 'assistant': return { role: 'assistant', content: content(), toolCalls: list(message['tool_calls'] ?? [], 'messages.tool_calls', messagesMax).map(readCall) }
    default: throw badRequest(`"messages" has a role ${JSON.stringify(message['role'])?.slice(0, 50)}: it takes system, developer, user, assistant and tool`)
  }
}

function readCall (value: unknown): AskedTool {
  const call = fields(value, 'messages.tool_calls')
  const of = fields(call['function'], 'messages.tool_calls.function')
  const given = of['arguments'] ?? ''
  return { id: text(call['id'], 'messages.tool_calls.id'), name: text(of['name'], 'messages.tool_calls.function.name'), arguments: typeof given === 'string' ? given : JSON.stringify(given) }
}

const reasons: Record<Answer['finishReason'], string> = { stop: 'stop', length: 'length', tool_calls: 'tool_calls', refused: 'content_filter' }

const wireCall = (call: AskedTool): Fields => ({ id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } })

function wireUsage (answer: Answer): Fields {
  const { prompt, completion, cached } = usageOf(answer)
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion, prompt_tokens_details: { cached_tokens: cached } }
}

const head = ({ id, createdAt, model }: ReplyTo, object: string): Fields => ({ id: `chatcmpl-${id}`, object, created: Math.floor(createdAt / 1000), model })

const whole = (answer: Answer, to: ReplyTo): Fields => ({
  ...head(to, 'chat.completion'),
  choices: [{
    index: 0,
    message: { role: 'assistant', content: answer.text === '' && answer.toolCalls.length > 0 ? null : answer.text, refusal: null, ...answer.toolCalls.length > 0 ? { tool_calls: answer.toolCalls.map(wireCall) } : {} },
    logprobs: null,
    finish_reason: reasons[answer.finishReason]
  }],
  usage: wireUsage(answer)
})

function stream (to: ReplyTo): ReturnType<Dialect['stream']> {
  const chunk = (delta: Fields, reason: string | null = null): string => event({ ...head(to, 'chat.completion.chunk'), choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }] })
  return {
    open: () => '',
    pulse: () => ': waiting\n\n',
    answer: answer => [
      chunk({ role: 'assistant', content: '' }),
      ...answer.text === '' ? [] : [chunk({ content: answer.text })],
      ...answer.toolCalls.map((call, index) => chunk({ tool_calls: [{ index, ...wireCall(call) }] })),
      chunk({}, reasons[answer.finishReason]),
      ...to.asked.wantsUsage ? [event({ ...head(to, 'chat.completion.chunk'), choices: [], usage: wireUsage(answer) })] : [],
      'data: [DONE]\n\n'
    ].join(''),
    fault: told => event(openaiFault(told))
  }
}

const types: Record<FaultKind, [type: string, code: string | null]> = {
  invalid: ['invalid_request_error', null],
  too_long: ['invalid_request_error', 'context_length_exceeded'],
  too_large: ['invalid_request_error', null],
  not_found: ['invalid_request_error', 'not_found'],
  busy: ['rate_limit_error', 'rate_limit_exceeded'],
  overloaded: ['server_error', 'server_is_overloaded'],
  timeout: ['server_error', 'timeout'],
  failed: ['server_error', 'server_error']
}

/** OpenAI's error body, for chat and responses. */
export function openaiFault (told: Told): Fields & { error: { message: string; type: string; param: null; code: string | null } } {
  const [type, code] = types[told.kind]
  const { tokens } = told
  const message = told.kind !== 'too_long' ? told.message : tokens === null
    ? 'Your input exceeds the context window of this model. Please reduce the length of the messages.'
    : `This model's maximum context length is ${tokens.most} tokens. However, your messages resulted in ${tokens.prompt} tokens. Please reduce the length of the messages.`
  return { error: { message, type, param: null, code } }
}

export const chat: Dialect = { read, whole, stream, fault: openaiFault }
