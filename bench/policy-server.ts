// The inference server of bench/policy.ts, in a process of its own: chat completions of vLLM's form at a set rate, in so many
// slots; the rest waits, and /metrics says so. It plays a script: a seed says which turn of which rollout is asked for, and what
// the model says there is a call of bash, or a submit in the last turn. Its answers are put together from pieces made once, so that
// what is measured is the client. A token is told by its place alone, so every prompt begins with the tokens before it, as it does
// where a template is well behaved.
// Over IPC it says how busy it was: token-seconds of its slots that were used. It can hold every last turn until it is told to go on,
// so that all rollouts can be looked at in flight.

import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { saidIn, seedsPerRollout, type Shape } from './policy-shape.ts'

export interface Setting { slots: number; tokensPerSecond: number; shape: Shape; /** Last turns that wait for one another. */ held: number }
export type Order = { kind: 'set'; setting: Setting } | { kind: 'report' } | { kind: 'release' }
export type Told = { kind: 'listening'; port: number } | { kind: 'held' } | { kind: 'report'; busy: number; completions: number; waitingMean: number }

let setting: Setting
let active = 0
let busy = 0
let waited = 0
let completions = 0
let lastAt = performance.now()
let startedAt = lastAt
let queue: (() => void)[] = []
let held: (() => void)[] = []
/** Tokens of each rollout's conversation so far. */
let lengths = new Map<number, number>()

const tell = (told: Told): void => { process.send!(told) }

/** Adds up slots in use, and turns that wait, over time. */
function count (): void {
  const now = performance.now()
  busy += active * (now - lastAt)
  waited += queue.length * (now - lastAt)
  lastAt = now
}

// ---- answers --------------------------------------------------------------------------------------------------------

const contextMax = 200_000
const idAt = (place: number): number => 1000 + (place * 7919) % 150_000
/** All ids joined by commas, and where each begins. */
const starts = new Int32Array(contextMax + 1)
const joined = (() => {
  const texts = Array.from({ length: contextMax }, (_, place) => `${idAt(place)},`)
  for (let place = 0; place < contextMax; place++) starts[place + 1] = starts[place]! + texts[place]!.length
  return Buffer.from(texts.join(''))
})()
const ids = (from: number, to: number): Buffer => joined.subarray(starts[from], starts[to]! - 1)

const pieces = new Map<string, Buffer>()

function textOf (tokens: number, isLast: boolean): Buffer {
  const key = `${tokens} ${isLast}`
  let piece = pieces.get(key)
  if (piece === undefined) {
    const call = isLast ? '<tool: submit>\n</tool>' : '<tool: bash>\ncat src/*.js | head -400\n</tool>'
    const logprobs = { content: Array.from({ length: tokens }, () => ({ token: 'word ', logprob: -0.6931471824645996, bytes: [119, 111, 114, 100, 32], top_logprobs: [] })) }
    const choice = JSON.stringify({ index: 0, message: { role: 'assistant', content: `${'word '.repeat(tokens)}\n${call}` }, finish_reason: 'stop', logprobs })
    piece = Buffer.from(`,"choices":[${choice.slice(0, -1)},"token_ids":[`)
    pieces.set(key, piece)
  }
  return piece
}

function answerOf (prompt: number, tokens: number, isLast: boolean): Buffer {
  return Buffer.concat([
    Buffer.from('{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"bench","prompt_token_ids":['), ids(0, prompt), Buffer.from(']'),
    textOf(tokens, isLast), ids(prompt, prompt + tokens),
    Buffer.from(`]}],"usage":{"prompt_tokens":${prompt},"completion_tokens":${tokens},"total_tokens":${prompt + tokens}}}`)
  ])
}

// ---- turns ----------------------------------------------------------------------------------------------------------

interface Turn { prompt: number; tokens: number; isLast: boolean; response: ServerResponse }

function turnOf (seed: number, response: ServerResponse): Turn {
  const { shape } = setting
  const [rollout, turn] = [Math.floor(seed / seedsPerRollout), seed % seedsPerRollout]
  const prompt = (lengths.get(rollout) ?? shape.opening) + (turn === 0 ? 0 : shape.answered)
  const tokens = saidIn(shape, rollout, turn)
  lengths.set(rollout, prompt + tokens)
  return { prompt, tokens, isLast: turn === shape.turns - 1, response }
}

function begin ({ prompt, tokens, isLast, response }: Turn): void {
  count()
  active++
  const answer = answerOf(prompt, tokens, isLast)
  // Later than it should be, a timer has held its slot for longer: that is the server's loss, and not counted as its work.
  setTimeout(() => {
    count()
    active--
    completions++
    queue.shift()?.()
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length }).end(answer)
  }, tokens / setting.tokensPerSecond * 1000)
}

function seat (turn: Turn): void {
  if (active < setting.slots) return begin(turn)
  count()
  queue.push(() => begin(turn))
}

const server = createServer((request, response) => {
  if (request.url === '/metrics') return void response.end(`vllm:num_requests_waiting ${queue.length}\nvllm:kv_cache_usage_perc 0.5\n`)
  if (request.url === '/v1/models') return void response.end(JSON.stringify({ data: [{ id: 'bench', owned_by: 'vllm', max_model_len: contextMax }] }))
  let end = Buffer.alloc(0)
  // The seed stands behind the messages: nothing else of the body is needed.
  request.on('data', chunk => { end = Buffer.concat([end, chunk as Buffer]).subarray(-2000) })
  request.on('end', () => {
    const turn = turnOf(Number(/"seed":(\d+)/.exec(end.toString('latin1'))![1]), response)
    if (!turn.isLast || setting.held === 0) return seat(turn)
    held.push(() => seat(turn))
    if (held.length === setting.held) tell({ kind: 'held' })
  })
})

process.on('message', (order: Order) => {
  count()
  if (order.kind === 'report') return tell({ kind: 'report', busy: busy / (performance.now() - startedAt), completions, waitingMean: waited / (performance.now() - startedAt) })
  if (order.kind === 'release') return held.splice(0).forEach(go => go())
  setting = order.setting
  busy = waited = completions = 0
  queue = []
  held = []
  lengths = new Map()
  startedAt = lastAt
})
process.on('disconnect', () => process.exit())

server.listen(0, '127.0.0.1', 4096, () => tell({ kind: 'listening', port: (server.address() as AddressInfo).port }))
