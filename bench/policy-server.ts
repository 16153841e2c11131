// The inference server of bench/policy.ts, in a process of its own: chat completions of vLLM's form, as many tokens as are asked
// for, at a set rate, in so many slots; the rest waits, and /metrics says so. Its answers are made once for each size, so that
// what is measured is the client. Over IPC it says how busy it was: token-seconds of its slots that were used.
// The size of a prompt stands in the last message (`tokens=<n>`), since the real one would have counted it.

import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Setting { slots: number; tokensPerSecond: number }
export type Order = { kind: 'set'; setting: Setting } | { kind: 'report' }
export type Told = { kind: 'listening'; port: number } | { kind: 'report'; busy: number; completions: number; waitingMean: number }

let setting: Setting = { slots: Infinity, tokensPerSecond: 100 }
let active = 0
let busy = 0
let waited = 0
let completions = 0
let lastAt = performance.now()
let startedAt = lastAt
const queue: (() => void)[] = []

/** Adds up slots in use, and turns that wait, over time. */
function count (): void {
  const now = performance.now()
  busy += active * (now - lastAt)
  waited += queue.length * (now - lastAt)
  lastAt = now
}

const answers = new Map<string, Buffer>()

function answerOf (prompt: number, tokens: number): Buffer {
  const key = `${prompt} ${tokens}`
  let answer = answers.get(key)
  if (answer === undefined) {
    const ids = (length: number): number[] => Array.from({ length }, (_, index) => 1000 + (index * 7919) % 150_000)
    answer = Buffer.from(JSON.stringify({
      id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'bench', prompt_token_ids: ids(prompt),
      choices: [{
        index: 0, message: { role: 'assistant', content: 'word '.repeat(tokens) }, finish_reason: 'stop', token_ids: ids(tokens),
        logprobs: { content: Array.from({ length: tokens }, () => ({ token: 'word ', logprob: -0.6931471824645996, bytes: [119, 111, 114, 100, 32], top_logprobs: [] })) }
      }],
      usage: { prompt_tokens: prompt, completion_tokens: tokens, total_tokens: prompt + tokens }
    }))
    answers.set(key, answer)
  }
  return answer
}

function begin (prompt: number, tokens: number, response: ServerResponse): void {
  count()
  active++
  const answer = answerOf(prompt, tokens)
  // Later than it should be, a timer has held its slot for longer: that is the server's loss, and not counted as its work.
  setTimeout(() => {
    count()
    active--
    completions++
    queue.shift()?.()
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length }).end(answer)
  }, tokens / setting.tokensPerSecond * 1000)
}

const server = createServer((request, response) => {
  if (request.url === '/metrics') return void response.end(`vllm:num_requests_waiting ${queue.length}\nvllm:kv_cache_usage_perc 0.5\n`)
  const chunks: Buffer[] = []
  request.on('data', chunk => chunks.push(chunk as Buffer))
  request.on('end', () => {
    // Both numbers stand near the end of the body: nothing else of it is needed.
    const body = Buffer.concat(chunks)
    const prompt = Number(/tokens=(\d+)/.exec(body.toString('latin1', body.lastIndexOf('tokens=')))![1])
    const tokens = Number(/"max_tokens":(\d+)/.exec(body.toString('latin1', body.lastIndexOf('"max_tokens"')))![1])
    if (active < setting.slots) return begin(prompt, tokens, response)
    count()
    queue.push(() => begin(prompt, tokens, response))
  })
})

const tell = (told: Told): void => { process.send!(told) }

process.on('message', (order: Order) => {
  count()
  if (order.kind === 'report') return tell({ kind: 'report', busy: busy / (performance.now() - startedAt), completions, waitingMean: waited / (performance.now() - startedAt) })
  setting = order.setting
  busy = waited = completions = 0
  startedAt = lastAt
})
process.on('disconnect', () => process.exit())

server.listen(0, '127.0.0.1', 4096, () => tell({ kind: 'listening', port: (server.address() as AddressInfo).port }))
