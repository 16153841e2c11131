// What a model's rollouts cost beside the model: 1,000 at a time through the real scaffold (the rollout machine, its session, the
// text protocol, the client of the server), with commands answered at once by a sandbox that is none. The server is a process of its
// own that answers as vLLM does, at a set rate.
//   overhead  every rollout has a slot of its own. What a turn takes beyond its tokens at that rate, from one question to the next,
//             as a share of the turn.
//   memory    what 1,000 rollouts of 8 turns and 32,000 tokens hold while all of them are in their last turn: their conversations,
//             tokens and logprobs, what the machine and the client keep of them, and the requests under way.
//   busy      two endpoints with 128 slots each: how much of their tokens a second is used while turns wait.
// Beside the first: the same requests through bare undici, whose answers are parsed and thrown away.
// `--check` turns the marks into an exit code; `--heap` keeps every text in the heap, to see what the file is good for.
// Usage: node --expose-gc dist/bench/policy.js [--check] [--rollouts 1000] [--rate 100] [--heap]

import { fork, type ChildProcess } from 'node:child_process'
import { once, setMaxListeners } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Agent, request } from 'undici'
import { playRollout } from '../actors/rollout.ts'
import { rolloutDeadlines } from '../actors/work/rollout.ts'
import { systemClock } from '../src/clock.ts'
import { createLlmPolicy, llmDefaults } from '../src/policy/llm/policy.ts'
import { loadPrompts } from '../src/policy/llm/prompts.ts'
import { createServer } from '../src/policy/llm/servers/index.ts'
import type { ServerLimits } from '../src/policy/llm/servers/limits.ts'
import type { ModelServer } from '../src/policy/llm/types.ts'
import type { Sandbox } from '../src/ports.ts'
import { createRandom } from '../src/random.ts'
import { createRolloutSession } from '../src/rollout/session.ts'
import { createSpill } from '../src/rollout/spill.ts'
import { toolLimits } from '../src/rollout/tools.ts'
import type { Order, Setting, Told } from './policy-server.ts'
import { long, saidIn, seedsPerRollout, short, type Shape } from './policy-shape.ts'

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, heap: { type: 'boolean', default: false }, rollouts: { type: 'string', default: '1000' }, rate: { type: 'string', default: '100' } } })
const marks = { overhead: 0.05, busy: 0.9, heapBytes: 2 ** 20 }
const rollouts = Number(values.rollouts)
const tokensPerSecond = Number(values.rate)
const failed: string[] = []
const never = new AbortController().signal
setMaxListeners(0, never)

// ---- the server's process -------------------------------------------------------------------------------------------

interface Endpoint { url: string; set (setting: Setting): void; held (): Promise<void>; release (): void; report (): Promise<Extract<Told, { kind: 'report' }>>; process: ChildProcess }

async function startEndpoint (): Promise<Endpoint> {
  const child = fork(fileURLToPath(new URL('./policy-server.js', import.meta.url)))
  const told = async <Kind extends Told['kind']>(kind: Kind): Promise<Extract<Told, { kind: Kind }>> => {
    for (;;) {
      const [message] = await once(child, 'message') as [Told]
      if (message.kind === kind) return message as Extract<Told, { kind: Kind }>
    }
  }
  const send = (order: Order): void => { child.send(order) }
  const { port } = await told('listening')
  return {
    url: `http://127.0.0.1:${port}`,
    process: child,
    set: setting => send({ kind: 'set', setting }),
    held: async () => { await told('held') },
    release: () => send({ kind: 'release' }),
    async report () {
      const report = told('report')
      send({ kind: 'report' })
      return await report
    }
  }
}

/** More than there are rollouts. */
const unlimited = 1e9

const openClient = (endpoints: readonly Endpoint[], limits: Partial<ServerLimits>): ModelServer => createServer(
  { protocol: 'openai', flavour: 'vllm', model: 'bench', urls: endpoints.map(endpoint => endpoint.url), limits },
  { clock: systemClock, random: createRandom(1), env: {} })

// ---- rollouts -------------------------------------------------------------------------------------------------------

const home = mkdtempSync(join(tmpdir(), 'spar-bench-'))
const spill = values.heap ? null : createSpill(home)

/** A command's output of so many tokens; every one is a text of its own, as it is where commands run. */
function outputOf (rollout: number, command: number, tokens: number): Buffer {
  const line = `src/file-${rollout}-${command}.js: out out out out out out out out out out out out\n`
  return Buffer.from(line.repeat(Math.ceil(tokens * 4 / line.length)).slice(0, tokens * 4))
}

function sandboxOf (rollout: number, shape: Shape): Sandbox {
  let commands = 0
  return {
    id: `s${rollout}`, kind: 'process', isolation: 'none', tree: '/tree', scratch: '/scratch',
    exec: async () => ({ exitCode: 0, output: outputOf(rollout, commands++, shape.answered - 20), truncatedBytes: 0, killed: null, durationMs: 0 }),
    readFile: async () => Buffer.alloc(0), writeFile: async () => {}, destroy: async () => {}
  }
}

interface Played { beyond: number[]; shares: number[]; segments: number; tokens: number }

/** Plays one rollout; times go from one question to the next, so that nothing in between is left out. */
async function playOne (rollout: number, server: ModelServer, shape: Shape): Promise<Played> {
  const played: Played = { beyond: [], shares: [], segments: 0, tokens: 0 }
  let startedAt = 0
  let turn = -1
  const lap = (): void => {
    const ms = performance.now() - startedAt
    const tokenMs = saidIn(shape, rollout, turn) / tokensPerSecond * 1000
    played.beyond.push(ms - tokenMs)
    played.shares.push((ms - tokenMs) / ms)
  }
  const timed: ModelServer = {
    ...server,
    async ask (ask, signal) {
      if (turn >= 0) lap()
      turn++
      startedAt = performance.now()
      return await server.ask(ask, signal)
    }
  }
  const policy = createLlmPolicy({ server: timed, prompts, settings: llmDefaults, clock: systemClock, spill })
  const session = createRolloutSession({
    policy,
    task: { role: 'solver', rolloutId: `rollout ${rollout}`, oraclePatch: '+x\n', seed: rollout * seedsPerRollout, tree: '', scratch: '', testCommand: null, turnsMax: 128, tokensMax: 131_072, commandMsMax: toolLimits.commandMsMax },
    limits: toolLimits,
    clock: systemClock,
    open: async () => sandboxOf(rollout, shape),
    collect: async () => ({ kept: new Uint8Array(0) })
  })
  const ended = await playRollout('solver', session, { rolloutId: `rollout ${rollout}`, turnsMax: 128, tokensMax: 131_072, ...rolloutDeadlines }, never)
  const { segments, untrainable } = session.trace!
  if (ended.kind !== 'submitted' || ended.turns !== shape.turns || untrainable !== null || session.turns.length !== shape.turns) throw new Error(`a rollout went wrong: ${JSON.stringify(ended)}, ${untrainable}`)
  return { ...played, segments: segments.length, tokens: segments.at(-1)!.token_ids.length }
}

const prompts = loadPrompts()
const playAll = async (server: ModelServer, shape: Shape): Promise<Played[]> => await Promise.all(Array.from({ length: rollouts }, (_, rollout) => playOne(rollout, server, shape)))

/** Requests of the same size, and nothing but them. */
async function playBare (url: string, shape: Shape): Promise<number[]> {
  const agent = new Agent({ connections: rollouts, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
  const beyond: number[] = []
  await Promise.all(Array.from({ length: rollouts }, async (_, rollout) => {
    const messages = [{ role: 'user', content: 'out '.repeat(shape.opening) }]
    for (let turn = 0; turn < shape.turns; turn++) {
      const startedAt = performance.now()
      const { body } = await request(`${url}/v1/chat/completions`, { dispatcher: agent, method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'bench', messages, logprobs: true, return_token_ids: true, seed: rollout * seedsPerRollout + turn }) })
      const answer = await body.json() as { choices: [{ message: { content: string } }] }
      messages.push({ role: 'assistant', content: answer.choices[0].message.content }, { role: 'user', content: outputOf(rollout, turn, shape.answered).toString() })
      beyond.push(performance.now() - startedAt - saidIn(shape, rollout, turn) / tokensPerSecond * 1000)
    }
  }))
  await agent.close()
  return beyond
}

// ---- measurements ---------------------------------------------------------------------------------------------------

const quantile = (numbers: number[], share: number): number => numbers.sort((a, b) => a - b)[Math.floor(numbers.length * share)]!
const ms = (value: number): string => `${value.toFixed(0)} ms`
const percent = (value: number): string => `${(value * 100).toFixed(1)} %`
const kilobytes = (bytes: number): string => `${(bytes / 1024 / rollouts).toFixed(0)} KB`

function judge (name: string, text: string, mark: string, holds: boolean): void {
  console.log(`${name.padEnd(10)} ${text}   mark ${mark} ${holds ? 'holds' : 'MISSED'}`)
  if (!holds) failed.push(name)
}

const collect = globalThis.gc as (() => void) | undefined

/** Heap and the buffers beside it, of what is alive. */
async function held (): Promise<{ heap: number; buffers: number }> {
  for (let again = 0; again < 3; again++) {
    collect?.()
    await new Promise(resolve => setImmediate(resolve))
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return { heap: heapUsed, buffers: arrayBuffers }
}

async function benchOverhead (endpoint: Endpoint): Promise<void> {
  endpoint.set({ slots: unlimited, tokensPerSecond, shape: long, held: rollouts })
  // Each has a slot, so each is asked for at once: what waits for the window to open is no cost of a turn.
  const server = openClient([endpoint], { concurrencyStart: rollouts, concurrencyMax: rollouts })
  const before = await held()
  const cpu = process.cpuUsage()
  const playing = playAll(server, long)
  await Promise.race([endpoint.held(), playing])
  const { user, system } = process.cpuUsage(cpu)
  const after = await held()
  const spilled = spill?.used ?? 0
  endpoint.release()
  const played = await playing
  const shares = played.flatMap(each => each.shares)
  const beyond = played.flatMap(each => each.beyond)
  const share = quantile(shares, 0.5)
  judge('overhead', `p50 ${percent(share)} of a turn (${ms(quantile(beyond, 0.5))}), p99 ${percent(quantile(shares, 0.99))} (${ms(quantile(beyond, 0.99))}), ${((user + system) / 1000 / beyond.length).toFixed(2)} ms of processor a turn`, `p50 ≤ ${percent(marks.overhead)}`, share <= marks.overhead)
  const [heap, buffers] = [after.heap - before.heap, after.buffers - before.buffers]
  const tokens = played.reduce((sum, each) => sum + each.tokens, 0) / rollouts
  judge('memory', `${kilobytes(heap + buffers)} a rollout of ${tokens.toFixed(0)} tokens in flight, ${kilobytes(heap)} of it in the heap${collect === undefined ? ' (without --expose-gc: garbage included)' : ''}; ${kilobytes(spilled)} in the file`, `≤ ${marks.heapBytes / 1024} KB`, heap + buffers <= marks.heapBytes * rollouts)
  if (played.some(each => each.segments !== 1)) throw new Error('a conversation was encoded again')
  await server.close()
  endpoint.set({ slots: unlimited, tokensPerSecond, shape: long, held: 0 })
  const bare = await playBare(endpoint.url, long)
  console.log(`${''.padEnd(10)} bare undici p50 ${ms(quantile(bare, 0.5))}, p99 ${ms(quantile(bare, 0.99))}`)
}

async function benchBusy (endpoints: readonly Endpoint[]): Promise<void> {
  const slots = 128
  for (const endpoint of endpoints) endpoint.set({ slots, tokensPerSecond, shape: short, held: 0 })
  const server = openClient(endpoints, { concurrencyStart: 64, metricsMsMin: 500 })
  const meanMs = (short.said.from + short.said.more / 2) / tokensPerSecond * 1000
  // While more turns are asked for than there are slots: the last ones to end leave slots idle, whoever asks.
  const reports = Promise.all(endpoints.map(async endpoint => {
    await new Promise(resolve => setTimeout(resolve, 0.7 * rollouts * short.turns / (slots * endpoints.length) * meanMs))
    return await endpoint.report()
  }))
  const whole = playAll(server, short)
  const said = await reports
  await whole
  const used = said.reduce((sum, report) => sum + report.busy, 0) / slots / endpoints.length
  judge('busy', `${percent(used)} of ${endpoints.length} × ${slots} slots in use, from the first turn on; ${said.map(report => report.waitingMean.toFixed(1)).join(' and ')} turns wait at an endpoint`, `≥ ${percent(marks.busy)}`, used >= marks.busy)
  await server.close()
}

const load = (): string => loadavg().map(load => load.toFixed(1)).join(' ')

console.log(`load ${load()} before`)
const endpoints = await Promise.all([startEndpoint(), startEndpoint()])
try {
  await benchOverhead(endpoints[0]!)
  console.log(`load ${load()} between`)
  await benchBusy(endpoints)
} finally {
  for (const endpoint of endpoints) endpoint.process.disconnect()
  spill?.close()
  rmSync(home, { recursive: true, force: true })
}
console.log(`load ${load()} after`)
if (values.check && failed.length > 0) {
  console.error(`missed: ${failed.join(', ')}`)
  process.exitCode = 1
}
