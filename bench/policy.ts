// What the client of inference servers costs: 1,000 rollouts at a time, of 8 turns and 32,000 tokens each, against a server in a
// process of its own that answers as vLLM does, at a set rate.
//   overhead  every rollout has a slot of its own. What a turn takes beyond its tokens at that rate, as a share of the turn.
//   busy      two endpoints with 128 slots each: how much of their tokens a second is used while turns wait.
//   memory    what 1,000 rollouts hold at their end: messages, tokens, logprobs, and what the client keeps of them.
// Beside the first: the same requests through bare undici, whose answers are parsed and thrown away.
// `--check` turns the marks into an exit code. Usage: node --expose-gc dist/bench/policy.js [--check] [--rollouts 1000] [--rate 100]

import { fork, type ChildProcess } from 'node:child_process'
import { once, setMaxListeners } from 'node:events'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Agent, request } from 'undici'
import { systemClock } from '../src/clock.ts'
import { createServer } from '../src/policy/llm/servers/index.ts'
import type { Answer, Ask, ChatMessage, ModelServer } from '../src/policy/llm/types.ts'
import { createRandom } from '../src/random.ts'
import type { Order, Setting, Told } from './policy-server.ts'

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, rollouts: { type: 'string', default: '1000' }, rate: { type: 'string', default: '100' } } })
const marks = { overhead: 0.05, busy: 0.9, heapBytes: 2 ** 20 }
const rollouts = Number(values.rollouts)
const tokensPerSecond = Number(values.rate)
const failed: string[] = []
const never = new AbortController().signal
setMaxListeners(0, never)

// ---- the server's process -------------------------------------------------------------------------------------------

interface Endpoint { url: string; set (setting: Setting): void; report (): Promise<Extract<Told, { kind: 'report' }>>; process: ChildProcess }

async function startEndpoint (): Promise<Endpoint> {
  const child = fork(fileURLToPath(new URL('./policy-server.js', import.meta.url)))
  const [{ port }] = await once(child, 'message') as [Extract<Told, { kind: 'listening' }>]
  const send = (order: Order): void => { child.send(order) }
  return {
    url: `http://127.0.0.1:${port}`,
    process: child,
    set: setting => send({ kind: 'set', setting: { ...setting, slots: Number.isFinite(setting.slots) ? setting.slots : 1e9 } }),
    async report () {
      send({ kind: 'report' })
      return (await once(child, 'message') as [Extract<Told, { kind: 'report' }>])[0]
    }
  }
}

// ---- rollouts -------------------------------------------------------------------------------------------------------

/** Turns of a rollout, each with the tokens that it says and that a tool answers with. */
interface Shape { turns: number; said: (rollout: number, turn: number) => number; answered: number }

/** What a scaffold keeps of a rollout: its conversation for the next turn, its tokens and logprobs for the record. */
interface Kept { messages: ChatMessage[]; tokensSoFar: Int32Array | null; completions: { ids: Int32Array; logprobs: Float32Array }[] }

const toolOutput = (tokens: number): string => 'out '.repeat(tokens)

function askOf (rollout: number, turn: number, kept: Kept, shape: Shape): Ask {
  const before = kept.tokensSoFar?.length ?? 0
  const content = `${toolOutput(shape.answered)}\ntokens=${before + shape.answered} `
  return {
    messages: [...kept.messages, { role: 'user', content }],
    tools: null,
    sampling: { temperature: 1, topP: 1, topK: null, seed: null, maxTokens: shape.said(rollout, turn) },
    conversation: `rollout ${rollout}`,
    tokensSoFar: kept.tokensSoFar,
    messagesSoFar: kept.messages.length
  }
}

function keep (kept: Kept, ask: Ask, answer: Answer): void {
  if (answer.untrainable !== null) throw new Error(answer.untrainable)
  kept.messages = [...ask.messages, { role: 'assistant', content: answer.text, toolCalls: [] }]
  kept.tokensSoFar = new Int32Array(answer.promptTokenIds!.length + answer.completionTokenIds!.length)
  kept.tokensSoFar.set(answer.promptTokenIds!)
  kept.tokensSoFar.set(answer.completionTokenIds!, answer.promptTokenIds!.length)
  kept.completions.push({ ids: answer.completionTokenIds!, logprobs: answer.completionLogprobs! })
}

/** Milliseconds of each turn beyond what its tokens take. */
async function play (server: ModelServer, shape: Shape): Promise<{ beyond: number[]; shares: number[]; kept: Kept[] }> {
  const beyond: number[] = []
  const shares: number[] = []
  const kept = await Promise.all(Array.from({ length: rollouts }, async (_, rollout) => {
    const mine: Kept = { messages: [], tokensSoFar: null, completions: [] }
    for (let turn = 0; turn < shape.turns; turn++) {
      const ask = askOf(rollout, turn, mine, shape)
      const startedAt = performance.now()
      keep(mine, ask, await server.ask(ask, never))
      const ms = performance.now() - startedAt
      const tokenMs = ask.sampling.maxTokens / tokensPerSecond * 1000
      beyond.push(ms - tokenMs)
      shares.push((ms - tokenMs) / ms)
    }
    return mine
  }))
  return { beyond, shares, kept }
}

/** The same requests, and nothing but them. */
async function playBare (url: string, shape: Shape): Promise<number[]> {
  const agent = new Agent({ connections: rollouts, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
  const beyond: number[] = []
  await Promise.all(Array.from({ length: rollouts }, async (_, rollout) => {
    let prompt = 0
    const messages: { role: string; content: string }[] = []
    for (let turn = 0; turn < shape.turns; turn++) {
      prompt += shape.answered
      messages.push({ role: 'user', content: `${toolOutput(shape.answered)}\ntokens=${prompt} ` })
      const max = shape.said(rollout, turn)
      const startedAt = performance.now()
      const { body } = await request(`${url}/v1/chat/completions`, { dispatcher: agent, method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'bench', messages, max_tokens: max, logprobs: true, return_token_ids: true }) })
      const answer = await body.json() as { choices: [{ message: { content: string } }] }
      beyond.push(performance.now() - startedAt - max / tokensPerSecond * 1000)
      messages.push({ role: 'assistant', content: answer.choices[0].message.content })
      prompt += max
    }
  }))
  await agent.close()
  return beyond
}

// ---- measurements ---------------------------------------------------------------------------------------------------

const quantile = (numbers: number[], share: number): number => numbers.sort((a, b) => a - b)[Math.floor(numbers.length * share)]!
const ms = (value: number): string => `${value.toFixed(0)} ms`
const percent = (value: number): string => `${(value * 100).toFixed(1)} %`

function judge (name: string, text: string, mark: string, holds: boolean): void {
  console.log(`${name.padEnd(10)} ${text}   mark ${mark} ${holds ? 'holds' : 'MISSED'}`)
  if (!holds) failed.push(name)
}

const collect = globalThis.gc as (() => void) | undefined

/** Heap and the buffers beside it, of what is alive. */
function held (): { heap: number; buffers: number } {
  collect?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return { heap: heapUsed, buffers: arrayBuffers }
}

const openClient = (endpoints: readonly Endpoint[]): ModelServer => createServer(
  { protocol: 'openai', flavour: 'vllm', model: 'bench', urls: endpoints.map(endpoint => endpoint.url), limits: { concurrencyStart: 64, metricsMsMin: 500 } },
  { clock: systemClock, random: createRandom(1), env: {} })

// Turns of different length, so that they do not end together: half to one and a half of 500 tokens.
const long: Shape = { turns: 8, said: (rollout, turn) => 250 + ((rollout * 7 + turn * 3) % 51) * 10, answered: 3500 }
const short: Shape = { turns: 8, said: (rollout, turn) => 50 + (rollout * 7 + turn * 3) % 101, answered: 200 }

async function benchOverhead (endpoint: Endpoint): Promise<void> {
  endpoint.set({ slots: Infinity, tokensPerSecond })
  // Each has a slot, so each is asked for at once: what waits for the window to open is no cost of a turn.
  const server = createServer(
    { protocol: 'openai', flavour: 'vllm', model: 'bench', urls: [endpoint.url], limits: { concurrencyStart: rollouts, concurrencyMax: rollouts } },
    { clock: systemClock, random: createRandom(1), env: {} })
  const before = held()
  const cpu = process.cpuUsage()
  const { beyond, shares, kept } = await play(server, long)
  const { user, system } = process.cpuUsage(cpu)
  const after = held()
  const tokens = kept.reduce((sum, each) => sum + each.tokensSoFar!.length, 0) / rollouts
  const share = quantile(shares, 0.5)
  judge('overhead', `p50 ${percent(share)} of a turn (${ms(quantile(beyond, 0.5))}), p99 ${percent(quantile(shares, 0.99))} (${ms(quantile(beyond, 0.99))}), ${((user + system) / 1000 / beyond.length).toFixed(2)} ms of processor a turn`, `p50 ≤ ${percent(marks.overhead)}`, share <= marks.overhead)
  const growth = (after.heap - before.heap + after.buffers - before.buffers) / rollouts
  judge('memory', `${(growth / 1024).toFixed(0)} KB a rollout of ${tokens.toFixed(0)} tokens, ${((after.heap - before.heap) / 1024 / rollouts).toFixed(0)} KB of it in the heap${collect === undefined ? ' (without --expose-gc: garbage included)' : ''}`, `≤ ${marks.heapBytes / 1024} KB`, growth <= marks.heapBytes)
  await server.close()
  if (kept.length !== rollouts) throw new Error('rollouts were lost')
  const bare = await playBare(endpoint.url, long)
  console.log(`${''.padEnd(10)} bare undici p50 ${ms(quantile(bare, 0.5))}, p99 ${ms(quantile(bare, 0.99))}`)
}

async function benchBusy (endpoints: readonly Endpoint[]): Promise<void> {
  const slots = 128
  for (const endpoint of endpoints) endpoint.set({ slots, tokensPerSecond })
  const server = openClient(endpoints)
  // While more turns are asked for than there are slots: the last ones to end leave slots idle, whoever asks.
  const reports = Promise.all(endpoints.map(async endpoint => {
    await new Promise(resolve => setTimeout(resolve, 0.7 * rollouts * short.turns / (slots * endpoints.length) * 100 / tokensPerSecond * 1000))
    return await endpoint.report()
  }))
  const whole = play(server, short)
  const said = await reports
  await whole
  const used = said.reduce((sum, report) => sum + report.busy, 0) / slots / endpoints.length
  judge('busy', `${percent(used)} of ${endpoints.length} × ${slots} slots in use, from the first turn on; ${said.map(report => report.waitingMean.toFixed(1)).join(' and ')} turns wait at an endpoint`, `≥ ${percent(marks.busy)}`, used >= marks.busy)
  await server.close()
}

console.log(`load ${loadavg().map(load => load.toFixed(1)).join(' ')} before`)
const endpoints = await Promise.all([startEndpoint(), startEndpoint()])
await benchOverhead(endpoints[0]!)
await benchBusy(endpoints)
for (const endpoint of endpoints) endpoint.process.disconnect()
console.log(`load ${loadavg().map(load => load.toFixed(1)).join(' ')} after`)
if (values.check && failed.length > 0) {
  console.error(`missed: ${failed.join(', ')}`)
  process.exitCode = 1
}
