// An inference server for tests, on this machine only. It speaks OpenAI's chat (in one piece and in events, with tools), vLLM's
// token ids, logprobs, /tokenize, /v1/models, /health and /metrics, and SGLang's /generate, over a model of bytes. What it says
// is up to a function of the conversation; how fast, and what goes wrong, to the test. It keeps what it saw.

import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { chunksOf, shapes, spoil, type Completion, type FakeReply, type Fields } from './fake-server/answers.ts'
import type { Fault } from './fake-server/faults.ts'
import { encode, endToken, parse, render, written, type FakeMessage, type FakeTool } from './fake-server/model.ts'


export interface FakeServerOptions {
  kind?: 'vllm' | 'generic' | 'sglang'
  model?: string
  /** What /v1/models lists, and whose it says they are; null: there is no such route. Default: the model alone. */
  models?: { ids: string[]; owner?: string } | null
  /** Keys that are taken; default: any, and none. */
  keys?: string[]
  reply?: (conversation: readonly FakeMessage[]) => FakeReply
  contextTokensMax?: number
  /** Tokens a second of one completion; 0: at once. */
  tokensPerSecond?: number
  /** A completion is not begun before this. */
  hold?: (conversation: readonly FakeMessage[]) => Promise<void>
  /** Completions at a time; more wait in the queue that /metrics tells of. */
  slots?: number
  /** Whether /tokenize takes messages. */
  tokenizesMessages?: boolean
  weightVersion?: string | (() => string)
  /** Pieces of an event stream: the bytes of it, cut anywhere. Default: all in one. */
  cutStream?: (bytes: Buffer) => Buffer[]
  health?: () => number
  metrics?: () => string | null
}

export interface Seen { path: string; body: Fields; headers: IncomingMessage['headers']; port: number }

export interface FakeServer {
  readonly url: string
  readonly port: number
  readonly seen: Seen[]
  /** Requests for completions alone. */
  readonly turns: Seen[]
  /** Completions under way, in the queue, and the most that ever were of the first, and of both; connections that are open, and completions whose client went away. */
  readonly state: { active: number; activeMax: number; waiting: number; presentMax: number; connections: number; gone: number; tokens: number }
  /** `turn` when a completion is asked for, `gone` when its client has left, `answered`. */
  readonly events: EventEmitter
  /** The next completions fail so, one each. */
  fail (...faults: Fault[]): void
  /** Every completion fails so; null: no more. */
  failAll (fault: Fault | null): void
  down (): Promise<void>
  up (): Promise<void>
  close (): Promise<void>
}

export async function startFakeServer (options: FakeServerOptions = {}): Promise<FakeServer> {
  const { kind = 'vllm', model = 'fake', models = { ids: [model] }, keys, reply = () => ({ content: 'yes' }), contextTokensMax = 32_768, tokensPerSecond = 0, hold, slots = Infinity, tokenizesMessages = kind !== 'sglang', weightVersion = 'v1', cutStream = bytes => [bytes], health = () => 200, metrics = null } = options
  const events = new EventEmitter().setMaxListeners(0)
  const state = { active: 0, activeMax: 0, waiting: 0, presentMax: 0, connections: 0, gone: 0, tokens: 0 }
  const seen: Seen[] = []
  const turns: Seen[] = []
  const next: Fault[] = []
  const queue: (() => void)[] = []
  const weightsNow = (): string => typeof weightVersion === 'string' ? weightVersion : weightVersion()
  let always: Fault | null = null
  let isClosing = false

  const complete = (prompt: number[], conversation: readonly FakeMessage[], maxTokens: number): Completion => {
    const said: FakeReply = reply(conversation)
    const calls = (said.toolCalls ?? []).map((call, index) => ({ id: `call-${index}`, ...call }))
    const whole = [...encode(written({ role: 'assistant', content: said.content, toolCalls: calls })), endToken]
    const ids = whole.slice(0, maxTokens)
    return { prompt, ids, reply: said, finish: ids.length < whole.length ? 'length' : calls.length > 0 ? 'tool_calls' : 'stop', cached: Math.floor(prompt.length / 16) * 16 }
  }

  /** A slot first, then so long as the tokens take. */
  const compute = async (tokens: number, conversation: readonly FakeMessage[], gone: AbortSignal): Promise<void> => {
    state.presentMax = Math.max(state.presentMax, state.active + state.waiting + 1)
    if (state.active >= slots) {
      state.waiting++
      await new Promise<void>(resolve => queue.push(resolve))
      state.waiting--
    }
    state.active++
    state.activeMax = Math.max(state.activeMax, state.active)
    try {
      await hold?.(conversation)
      if (tokensPerSecond > 0 && !gone.aborted) await sleep(tokens / tokensPerSecond * 1000, undefined, { signal: gone }).catch(() => {})
      if (!gone.aborted) state.tokens += tokens
    } finally {
      state.active--
      queue.shift()?.()
    }
  }

  const tooLong = (prompt: number, asked: number): Fields | null => prompt + asked <= contextTokensMax ? null : {
    object: 'error', type: 'BadRequestError', param: null, code: 400,
    message: kind === 'sglang'
      ? `Requested token count exceeds the model's maximum context length of ${contextTokensMax} tokens. You requested a total of ${prompt + asked} tokens: ${prompt} tokens from the input messages and ${asked} tokens for the completion.`
      : `This model's maximum context length is ${contextTokensMax} tokens. However, you requested ${prompt + asked} tokens (${prompt} in the messages, ${asked} in the completion). Please reduce the length of the messages or completion.`
  }

  const promptOf = (path: string, body: Fields): { prompt: number[]; conversation: FakeMessage[]; maxTokens: number } => {
    if (path === '/v1/chat/completions') {
      const conversation = messagesOf(body)
      return { prompt: render(conversation, toolsOf(body)), conversation, maxTokens: body['max_tokens'] as number }
    }
    const prompt = (path === '/generate' ? body['input_ids'] : body['prompt']) as number[]
    const maxTokens = path === '/generate' ? (body['sampling_params'] as Fields)['max_new_tokens'] : body['max_tokens']
    return { prompt, conversation: parse(prompt), maxTokens: maxTokens as number }
  }

  const answerTurn = async (path: string, body: Fields, response: ServerResponse): Promise<void> => {
    const gone = new AbortController()
    response.on('close', () => {
      if (response.writableFinished) return
      gone.abort()
      if (isClosing) return
      state.gone++
      events.emit('gone')
    })
    const fault = next.shift() ?? always
    if (fault?.kind === 'hang') return
    if (fault?.kind === 'reset') return void response.destroy()
    if (fault?.kind === 'status') return json(response, fault.status, fault.body ?? { error: { message: `status ${fault.status}` } }, fault.headers)
    if (fault?.kind === 'huge') return void response.writeHead(200, { 'content-type': 'application/json' }).end(Buffer.alloc(fault.bytes, 32))
    const { prompt, conversation, maxTokens } = promptOf(path, body)
    const error = tooLong(prompt.length, maxTokens)
    if (error !== null) return json(response, 400, error)
    const completion = complete(prompt, conversation, maxTokens)
    if (fault?.kind === 'abort') completion.finish = 'abort'
    if (fault?.kind === 'filtered') completion.finish = 'content_filter'
    await compute(completion.ids.length, conversation, gone.signal)
    if (gone.signal.aborted) return
    const shape = shapes[path]!(completion, body, { model, kind, weightVersion: weightsNow() })
    spoil(path, shape, fault)
    events.emit('answered')
    if (body['stream'] === true) return await sendEvents(response, shape, fault, cutStream)
    const bytes = Buffer.from(JSON.stringify(shape))
    if (fault?.kind === 'truncated') return void response.writeHead(200, { 'content-type': 'application/json' }).end(bytes.subarray(0, bytes.length >> 1))
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length })
    if (fault?.kind === 'cut') return void response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy())
    if (fault?.kind === 'drip') return await drip(response, bytes, fault)
    response.end(bytes)
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? '/'
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString('utf8')) as Fields
    const entry: Seen = { path, body, headers: request.headers, port: (server.address() as AddressInfo | null)?.port ?? 0 }
    seen.push(entry)
    if (keys !== undefined && !keys.includes(request.headers.authorization?.replace(/^Bearer /, '') ?? '')) return json(response, 401, { error: { message: 'Incorrect API key provided' } })
    if (path === '/health') return void response.writeHead(health()).end()
    if (path === '/metrics') return metricsOf(response)
    if (path === '/v1/models' && models !== null) return json(response, 200, modelsOf(kind, models, contextTokensMax))
    if (path === '/tokenize') return tokenize(response, body, tokenizesMessages, contextTokensMax)
    if (shapes[path] === undefined) return json(response, 404, { detail: 'Not Found' })
    // SGLang is asked for the tokens of a prompt by way of one token of chat; faults are for completions.
    if (body['return_prompt_token_ids'] === true) {
      const { prompt, conversation } = promptOf(path, body)
      return json(response, 200, shapes[path]!(complete(prompt, conversation, 1), body, { model, kind, weightVersion: weightsNow() }))
    }
    turns.push(entry)
    events.emit('turn', entry)
    await answerTurn(path, body, response)
  }

  const metricsOf = (response: ServerResponse): void => {
    const text = metrics === null ? loadText(kind, state) : metrics()
    response.writeHead(text === null ? 404 : 200, { 'content-type': 'text/plain' }).end(text ?? '')
  }

  const server = createServer((request, response) => { handle(request, response).catch(() => response.destroy()) })
  server.on('connection', socket => {
    state.connections++
    socket.on('close', () => { state.connections--; events.emit('disconnected') })
  })
  let port = 0
  const up = async (): Promise<void> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }
  const down = async (): Promise<void> => {
    if (!server.listening) return
    const closed = new Promise(resolve => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
  await up()

  return {
    get url () { return `http://127.0.0.1:${port}` },
    get port () { return port },
    seen,
    turns,
    state,
    events,
    fail (...faults) { next.push(...faults) },
    failAll (fault) { always = fault },
    up,
    down,
    async close () {
      isClosing = true
      for (const enter of queue.splice(0)) enter()
      await down()
    }
  }
}

function json (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(typeof body === 'string' ? body : JSON.stringify(body))
}

async function drip (response: ServerResponse, bytes: Buffer, { bytes: size, everyMs }: { bytes: number; everyMs: number }): Promise<void> {
  for (let at = 0; at < bytes.length && !response.destroyed; at += size) {
    response.write(bytes.subarray(at, at + size))
    await sleep(everyMs)
  }
  response.end()
}

// ---- what comes in --------------------------------------------------------------------------------------------------

interface WireMessage { role: string; content: string | null; tool_calls?: { id: string; function: { name: string; arguments: string } }[] }

const messagesOf = (body: Fields): FakeMessage[] => (body['messages'] as WireMessage[]).map(({ role, content, tool_calls: calls = [] }) =>
  ({ role, content: content ?? '', ...calls.length === 0 ? {} : { toolCalls: calls.map(call => ({ id: call.id, ...call.function })) } }))

const toolsOf = (body: Fields): FakeTool[] => ((body['tools'] ?? []) as { function: FakeTool }[]).map(tool => tool.function)

// ---- what goes out --------------------------------------------------------------------------------------------------

function modelsOf (kind: string, { ids, owner = kind === 'generic' ? 'someone' : kind }: { ids: string[]; owner?: string }, contextTokensMax: number): Fields {
  return { object: 'list', data: ids.map(id => ({ id, object: 'model', owned_by: owner, ...kind === 'generic' ? {} : { max_model_len: contextTokensMax } })) }
}

function loadText (kind: string, { waiting, active }: { waiting: number; active: number }): string | null {
  if (kind === 'generic') return null
  const name = kind === 'vllm' ? 'vllm:num_requests_waiting' : 'sglang:num_queue_reqs'
  return `# HELP ${name} Waiting.\n# TYPE ${name} gauge\n${name}{engine="0",model_name="fake"} ${waiting.toFixed(1)}\n${kind}:num_requests_running{engine="0"} ${active.toFixed(1)}\n`
}

function tokenize (response: ServerResponse, body: Fields, takesMessages: boolean, contextTokensMax: number): void {
  if (body['messages'] !== undefined && !takesMessages) return json(response, 422, { detail: [{ type: 'missing', loc: ['body', 'prompt'], msg: 'Field required' }] })
  const tokens = body['messages'] === undefined ? encode(body['prompt'] as string) : render(messagesOf(body), toolsOf(body))
  json(response, 200, { count: tokens.length, max_model_len: contextTokensMax, tokens })
}

// ---- events ----------------------------------------------------------------------------------------------------------

async function sendEvents (response: ServerResponse, shape: Fields, fault: Fault | null, cut: (bytes: Buffer) => Buffer[]): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const events = chunksOf(shape).map(chunk => `data: ${JSON.stringify(chunk)}\n\n`)
  if (fault?.kind === 'truncated' || fault?.kind === 'cut') events.splice(events.length >> 1)
  else events.push('data: [DONE]\n\n')
  const pieces = cut(Buffer.from(events.join('')))
  for (const piece of pieces) {
    if (response.destroyed) return
    response.write(piece)
    if (pieces.length > 1) await new Promise(resolve => setImmediate(resolve))
  }
  if (fault?.kind === 'cut') response.destroy()
  else response.end()
}
