// A recording proxy in front of a fake inference server, with its records in memory, and agents that speak to it as the
// vendors' clients do: each keeps its own history in its own dialect, made of nothing but what it was sent.

import type { Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import { createProxy, type Proxy, type ProxyOptions } from '../../src/policy/llm/proxy/index.ts'
import type { ToolSchema } from '../../src/policy/llm/types.ts'
import { encodeRecord, decodeRecord, type RolloutRecord } from '../../src/rollout/record.ts'
import type { FakeServer } from './fake-server.ts'
import { openClient, type ClientOptions } from './servers-fixture.ts'

export type Fields = Record<string, any>

export interface OpenProxy {
  proxy: Proxy
  origin: string
  /** Address of an attempt. */
  base (rollout?: string, attempt?: number): string
  records: Map<string, RolloutRecord>
  lines: string[]
  /** Ends an attempt and gives its record, as it comes out of a file. */
  finish (rollout?: string, attempt?: number, body?: Fields): Promise<RolloutRecord>
}

export async function openProxy (t: Test, fake: FakeServer, { client = {}, ...options }: Partial<ProxyOptions> & { client?: ClientOptions } = {}): Promise<OpenProxy> {
  const records = new Map<string, RolloutRecord>()
  const lines: string[] = []
  const proxy = createProxy({
    server: openClient(t, [fake.url], client),
    settings: { sampling: { temperature: 1, topP: 1, topK: null, maxTokens: 200 }, seed: 7, version: 'unversioned' },
    records: {
      has: (rollout, attempt) => records.has(`${rollout}.${attempt}`),
      async write (record) {
        records.set(`${record.rollout_id}.${record.attempt}`, decodeRecord(encodeRecord(record)))
        return 'memory'
      }
    },
    run: 'test', clock: systemClock, onLine: line => lines.push(line), ...options
  })
  t.teardown(() => proxy.close())
  const { port } = await proxy.listen('127.0.0.1', 0)
  const origin = `http://127.0.0.1:${port}`
  const base = (rollout = 'r1', attempt = 1): string => `${origin}/proxy/rollout/${rollout}/attempt/${attempt}`
  return {
    proxy, origin, base, records, lines,
    async finish (rollout = 'r1', attempt = 1, body = {}) {
      const { status, body: answer } = await post(`${base(rollout, attempt)}/finish`, body)
      if (status !== 200) throw new Error(JSON.stringify(answer))
      return records.get(`${rollout}.${attempt}`)!
    }
  }
}

export async function post (url: string, body: Fields, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<{ status: number; headers: Headers; text: string; body: Fields }> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body), ...signal === undefined ? {} : { signal } })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: text.startsWith('{') ? JSON.parse(text) as Fields : {} }
}

/** The events of a stream: names are checked against the types in the data, as clients do. */
export function eventsOf (text: string): Fields[] {
  return text.split('\n\n').filter(block => block !== '' && !block.startsWith(':') && block !== 'data: [DONE]').map(block => {
    const data = JSON.parse(/^data: (.*)$/m.exec(block)![1]!) as Fields
    const name = /^event: (.*)$/m.exec(block)?.[1]
    if (name !== undefined && name !== data['type']) throw new Error(`an event is named ${name} and is ${String(data['type'])}`)
    return data
  })
}

export interface Heard { text: string; calls: { id: string; name: string; arguments: unknown }[]; reason: string; usage: [prompt: number, completion: number] }

export interface Agent {
  turn (maxTokens: number): Promise<Heard>
  /** The result of every call of the last turn, or what the user says where it made none. */
  tell (result: string): void
}

export interface AgentOptions { base: string; system: string; user: string; tools: readonly ToolSchema[] | null; stream: boolean }

export const agents: Record<'chat' | 'responses' | 'messages', (options: AgentOptions) => Agent> = { chat: chatAgent, responses: responsesAgent, messages: messagesAgent }

/** Sends back what it got with other white space and another spelling of the JSON, as some do. */
export const untidy = (options: AgentOptions): Agent => chatAgent(options, message => ({
  ...message, content: message['content'] === null ? null : `${String(message['content']).trim()}\n`,
  ...message['tool_calls'] === undefined ? {} : { tool_calls: (message['tool_calls'] as Fields[]).map(call => ({ ...call, function: { ...call['function'], arguments: respelled(call['function'].arguments) } })) }
}))

function respelled (text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 1)
  } catch { return text }
}

async function ask (url: string, body: Fields): Promise<string> {
  const { status, text, headers } = await post(url, body, { authorization: 'Bearer sk-of-the-agent', 'x-api-key': 'sk-of-the-agent', 'anthropic-version': '2023-06-01' })
  if (status !== 200) throw new Error(`${status} ${text}`)
  if (body['stream'] === true && headers.get('content-type') !== 'text/event-stream') throw new Error('no stream')
  return text
}

function chatAgent ({ base, system, user, tools, stream }: AgentOptions, sendBack: (message: Fields) => Fields = message => message): Agent {
  const messages: Fields[] = [{ role: 'system', content: system }, { role: 'user', content: [{ type: 'text', text: user }] }]
  let last: Fields = {}
  return {
    async turn (maxTokens) {
      const text = await ask(`${base}/v1/chat/completions`, {
        model: 'gpt', messages, max_completion_tokens: maxTokens, stream, ...stream ? { stream_options: { include_usage: true } } : {},
        ...tools === null ? {} : { tools: tools.map(tool => ({ type: 'function', function: tool })), tool_choice: 'auto', parallel_tool_calls: false }
      })
      const whole = stream ? wholeChat(eventsOf(text)) : JSON.parse(text) as Fields
      last = whole['choices'][0].message
      messages.push(sendBack(last))
      return {
        text: last['content'] ?? '', reason: whole['choices'][0].finish_reason, usage: [whole['usage'].prompt_tokens, whole['usage'].completion_tokens],
        calls: (last['tool_calls'] ?? []).map((call: Fields) => ({ id: call['id'], name: call['function'].name, arguments: call['function'].arguments }))
      }
    },
    tell (result) {
      const calls = (last['tool_calls'] ?? []) as Fields[]
      messages.push(...calls.length === 0 ? [{ role: 'user', content: result }] : calls.map(call => ({ role: 'tool', tool_call_id: call['id'], content: result })))
    }
  }
}

function wholeChat (events: Fields[]): Fields {
  const message: Fields = { role: 'assistant', content: null }
  let reason = null
  for (const { choices } of events) {
    const [choice] = choices as Fields[]
    if (choice === undefined) continue
    reason ??= choice['finish_reason']
    const delta = choice['delta'] as Fields
    if (typeof delta['content'] === 'string') message['content'] = (message['content'] ?? '') + delta['content']
    for (const { index, ...call } of (delta['tool_calls'] ?? []) as Fields[]) (message['tool_calls'] ??= [])[index] = call
  }
  return { choices: [{ message, finish_reason: reason }], usage: events.at(-1)!['usage'] }
}

function responsesAgent ({ base, system, user, tools, stream }: AgentOptions): Agent {
  const input: Fields[] = [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: user }] }]
  let calls: Fields[] = []
  return {
    async turn (maxTokens) {
      const text = await ask(`${base}/v1/responses`, {
        model: 'gpt', instructions: system, input, max_output_tokens: maxTokens, stream, store: false, include: ['reasoning.encrypted_content'], reasoning: { effort: 'medium' },
        ...tools === null ? {} : { tools: [...tools.map(tool => ({ type: 'function', strict: false, ...tool })), { type: 'web_search' }], tool_choice: 'auto' }
      })
      const events = stream ? eventsOf(text) : []
      events.forEach((event, index) => { if (event['sequence_number'] !== index) throw new Error(`event ${index} is numbered ${event['sequence_number']}`) })
      const whole = stream ? events.at(-1)!['response'] as Fields : JSON.parse(text) as Fields
      const items = stream ? events.filter(event => event['type'] === 'response.output_item.done').map(event => event['item'] as Fields) : whole['output'] as Fields[]
      // A client that thinks has items of its own between.
      input.push({ type: 'reasoning', id: 'rs_1', summary: [] }, ...items)
      calls = items.filter(item => item['type'] === 'function_call')
      return {
        text: items.filter(item => item['type'] === 'message').map(item => item['content'][0].text).join(''), reason: whole['incomplete_details']?.reason ?? whole['status'], usage: [whole['usage'].input_tokens, whole['usage'].output_tokens],
        calls: calls.map(call => ({ id: call['call_id'], name: call['name'], arguments: call['arguments'] }))
      }
    },
    tell (result) {
      input.push(...calls.length === 0 ? [{ role: 'user', content: result }] : calls.map(call => ({ type: 'function_call_output', call_id: call['call_id'], output: result })))
    }
  }
}

function messagesAgent ({ base, system, user, tools, stream }: AgentOptions): Agent {
  const messages: Fields[] = [{ role: 'user', content: user }]
  let last: Fields[] = []
  let turns = 0
  return {
    async turn (maxTokens) {
      // The vendor's own client marks the last message for its cache, and has a line that changes in front of its system.
      const marked = messages.map((message, index) => index < messages.length - 1 || typeof message['content'] !== 'string' ? message : { ...message, content: [{ type: 'text', text: message['content'], cache_control: { type: 'ephemeral' } }] })
      const text = await ask(`${base}/v1/messages?beta=true`, {
        model: 'claude', max_tokens: maxTokens, stream, messages: marked, metadata: { user_id: 'u' },
        system: [{ type: 'text', text: `x-anthropic-billing-header: cch=${turns++};` }, { type: 'text', text: system, cache_control: { type: 'ephemeral' } }],
        ...tools === null ? {} : { tools: [...tools.map(({ name, description, parameters }) => ({ name, description, input_schema: parameters })), { type: 'web_search_20250305', name: 'web_search' }], tool_choice: { type: 'auto' } }
      })
      const whole = stream ? wholeMessage(eventsOf(text)) : JSON.parse(text) as Fields
      last = whole['content']
      messages.push({ role: 'assistant', content: last })
      return {
        text: last.filter(block => block['type'] === 'text').map(block => block['text']).join(''), reason: whole['stop_reason'],
        usage: [whole['usage'].input_tokens + whole['usage'].cache_read_input_tokens, whole['usage'].output_tokens],
        calls: last.filter(block => block['type'] === 'tool_use').map(block => ({ id: block['id'], name: block['name'], arguments: block['input'] }))
      }
    },
    tell (result) {
      const calls = last.filter(block => block['type'] === 'tool_use')
      messages.push({ role: 'user', content: calls.length === 0 ? result : calls.map(call => ({ type: 'tool_result', tool_use_id: call['id'], content: [{ type: 'text', text: result }] })) })
    }
  }
}

function wholeMessage (events: Fields[]): Fields {
  const whole: Fields = { ...events[0]!['message'], content: [] }
  for (const { type, index, ...event } of events) {
    const block = whole['content'][index] as Fields | undefined
    if (type === 'content_block_start') whole['content'][index] = { ...event['content_block'], json: '' }
    else if (type === 'content_block_delta' && event['delta'].type === 'text_delta') block!['text'] += event['delta'].text
    else if (type === 'content_block_delta') block!['json'] += event['delta'].partial_json
    else if (type === 'message_delta') Object.assign(whole, event['delta'], { usage: event['usage'] })
  }
  whole['content'] = (whole['content'] as Fields[]).map(({ json, ...block }) => block['type'] === 'tool_use' ? { ...block, input: JSON.parse(json) } : block)
  if (events.at(-1)!['type'] !== 'message_stop') throw new Error('the message did not stop')
  return whole
}
