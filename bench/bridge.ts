// What the bridge costs over bare calls of the NATS client that carry the same bytes, and how it compares with gRPC, in turns of
// one run over loopback. Client and server share a process in each of the three, so a figure holds the work of both. The bridge
// and gRPC write and read the same MessagePack; bare NATS carries bytes that were written before, and reads nothing. What it does
// where it writes and reads them too is told beside it, without a mark.

import { loadavg } from 'node:os'
import * as grpc from '@grpc/grpc-js'
import { connect } from 'nats'
import { createBridgeClient } from '../src/bridge/client.ts'
import { encodeFrame, encodeValue, kinds } from '../src/bridge/frame.ts'
import { decodeFrame, decodeValue } from '../src/bridge/frame-reader.ts'
import { bridgeLimits } from '../src/bridge/limits.ts'
import { createBridgeServer } from '../src/bridge/server.ts'
import { defineService, serverStream, unary } from '../src/bridge/services.ts'
import { connectNats } from '../src/bus/nats.ts'
import { systemClock } from '../src/clock.ts'
import { toWire } from '../src/workers/codec/arrays.ts'
import { startServer } from './processes.ts'

const rounds = 9
/** The default, and an eighth of it, which holds one sample of the large ones. */
const windows = [bridgeLimits.windowBytes, bridgeLimits.windowBytes / 8] as const
const marks = { bare: 0.8, grpc: 1.5 }
const small = { queueBytesMax: 2 ** 26, logBytesMax: 2 ** 26, keyValueBytesMax: 2 ** 26, objectBytesMax: 2 ** 26 }

interface Sample { id: string; ids: Int32Array; logprobs: Float32Array; mask: unknown }
const sampleOf = (tokens: number): Sample => ({
  id: 'rollout-1',
  ids: Int32Array.from({ length: tokens }, (_, index) => index * 7),
  logprobs: Float32Array.from({ length: tokens }, (_, index) => -index / tokens),
  mask: toWire(Uint8Array.from({ length: tokens }, (_, index) => index % 2))
})
const request = { run: 'r1', task: 'a task of some length', turn: 3 }
const samples = new Map([5_000, 100_000].map(tokens => [tokens, sampleOf(tokens)]))

interface Side {
  call (): Promise<unknown>
  /** Reads so many samples; who has no windows does not look at theirs. */
  stream (tokens: number, count: number, windowBytes: number): Promise<void>
  close (): Promise<void>
}

// ---- servers --------------------------------------------------------------------------------------------------------

const server = await startServer('default')
const { url } = server

async function openBridge (): Promise<Side> {
  const Bench = defineService({ name: 'Bench', methods: { say: unary<typeof request, typeof request>(), samples: serverStream<{ tokens: number; count: number }, Sample>() } })
  const connectBus = (name: string) => connectNats({ servers: [url], name, clock: systemClock, limits: small })
  const [serving, calling] = [await connectBus('server'), await connectBus('client')]
  const bridge = createBridgeServer({ bus: serving, clock: systemClock })
  await bridge.serve(Bench, {
    say: request => request,
    async * samples ({ tokens, count }) { for (let index = 0; index < count; index++) yield samples.get(tokens)! }
  })
  const callers = windows.map(windowBytes => createBridgeClient({ bus: calling, clock: systemClock, limits: { windowBytes } }))
  const clients = new Map(callers.map((caller, index) => [windows[index]!, caller.of(Bench)]))
  const client = clients.get(windows[0])!
  return {
    call: () => client.say(request),
    async stream (tokens, count, windowBytes) {
      let read = 0
      for await (const { ids } of clients.get(windowBytes)!.samples({ tokens, count })) if (ids.length === tokens) read++
      if (read !== count) throw new Error(`${read} of ${count} samples came`)
    },
    async close () {
      for (const caller of callers) caller.close()
      await bridge.destroy()
      await Promise.all([serving.close(), calling.close()])
    }
  }
}

/** As fast as the client goes, without flow control. */
async function openBare (name: string, isCoded: boolean): Promise<Side> {
  const [serving, calling] = [await connect({ servers: url }), await connect({ servers: url })]
  const encode = (): Uint8Array => new Uint8Array(encodeFrame({ kind: kinds.OPEN, call: 'unary', timeLeftMs: 0, metadata: {}, credit: 0, isEnded: true, message: { value: request } }))
  const bytes = encode()
  serving.subscribe(`${name}.say`, { queue: 'q', callback: (_, message) => {
    if (isCoded) decodeFrame(message.data)
    message.respond(isCoded ? encode() : message.data)
  } })
  await serving.flush()
  let rounds = 0
  return {
    async call () {
      const { data } = await calling.request(`${name}.say`, isCoded ? encode() : bytes)
      return isCoded ? decodeFrame(data) : data
    },
    async stream (tokens, count) {
      const encode = (): Uint8Array => new Uint8Array(encodeFrame({ kind: kinds.MESSAGE, sequence: 1_000, message: { value: samples.get(tokens)! } }))
      const frame = encode()
      const subject = `${name}.samples.${rounds++}`
      let read = 0
      const done = new Promise<void>(resolve => { calling.subscribe(subject, { max: count, callback: (_, { data }) => {
        if (isCoded) decodeFrame(data)
        if (++read === count) resolve()
      } }) })
      await calling.flush()
      const atOnce = Math.max(1, Math.floor(2 ** 20 / frame.length))
      for (let index = 0; index < count; index++) {
        serving.publish(subject, isCoded ? encode() : frame)
        if (index % atOnce === atOnce - 1) await new Promise(setImmediate)
      }
      await done
    },
    async close () { await Promise.all([serving.close(), calling.close()]) }
  }
}

async function openGrpc (): Promise<Side> {
  const codec = { requestSerialize: (value: unknown) => Buffer.from(encodeValue(value)), requestDeserialize: decodeValue, responseSerialize: (value: unknown) => Buffer.from(encodeValue(value)), responseDeserialize: decodeValue }
  const methods = {
    say: { path: '/Bench/say', requestStream: false, responseStream: false, ...codec },
    samples: { path: '/Bench/samples', requestStream: false, responseStream: true, ...codec }
  }
  const large = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 }
  const serving = new grpc.Server(large)
  serving.addService(methods, {
    say: (call: grpc.ServerUnaryCall<unknown, unknown>, answer: grpc.sendUnaryData<unknown>) => answer(null, call.request),
    async samples (call: grpc.ServerWritableStream<{ tokens: number; count: number }, unknown>) {
      const { tokens, count } = call.request
      for (let index = 0; index < count; index++) if (!call.write(samples.get(tokens)!)) await new Promise(resolve => { call.once('drain', resolve) })
      call.end()
    }
  })
  const at = await new Promise<number>((resolve, reject) => { serving.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => { if (error === null) resolve(port); else reject(error) }) })
  const client = new (grpc.makeGenericClientConstructor(methods, 'Bench'))(`127.0.0.1:${at}`, grpc.credentials.createInsecure(), large) as unknown as {
    say (request: unknown, answered: (error: unknown, answer: unknown) => void): void
    samples (request: unknown): AsyncIterable<Sample>
    close (): void
  }
  return {
    call: () => new Promise((resolve, reject) => { client.say(request, (error, answer) => { if (error === null) resolve(answer); else reject(error as Error) }) }),
    async stream (tokens, count) {
      let read = 0
      for await (const { ids } of client.samples({ tokens, count })) if (ids.length === tokens) read++
      if (read !== count) throw new Error(`${read} of ${count} samples came`)
    },
    async close () {
      client.close()
      serving.forceShutdown()
    }
  }
}

// ---- cases ----------------------------------------------------------------------------------------------------------

interface Figure { rate: number; p99Ms: number | null }
interface Case { name: string; unit: string; markedOf: readonly ('bare' | 'grpc')[]; measure (side: Side): Promise<Figure> }

function calls (count: number, width: number): Case['measure'] {
  return async side => {
    const took: number[] = []
    const at = performance.now()
    await Promise.all(Array.from({ length: width }, async () => {
      for (let index = 0; index < count / width; index++) {
        const begun = performance.now()
        await side.call()
        took.push(performance.now() - begun)
      }
    }))
    const rate = took.length / (performance.now() - at) * 1_000
    return { rate, p99Ms: took.sort((one, other) => one - other)[Math.floor(took.length * 0.99)]! }
  }
}

function streamed (tokens: number, count: number, windowBytes: number = windows[0]): Case['measure'] {
  const bytes = encodeValue(samples.get(tokens)!).length * count
  return async side => {
    const at = performance.now()
    await side.stream(tokens, count, windowBytes)
    return { rate: bytes / 1e6 / (performance.now() - at) * 1_000, p99Ms: null }
  }
}

const cases: Case[] = [
  { name: 'unary, one at a time', unit: '/s', markedOf: ['bare'], measure: calls(1_000, 1) },
  { name: 'unary, 64 in flight', unit: '/s', markedOf: ['bare'], measure: calls(6_400, 64) },
  { name: 'samples of 5,000 tokens', unit: ' MB/s', markedOf: ['bare', 'grpc'], measure: streamed(5_000, 2_000) },
  { name: '  with a window of 1 MiB', unit: ' MB/s', markedOf: [], measure: streamed(5_000, 2_000, windows[1]) },
  { name: 'samples of 100,000 tokens', unit: ' MB/s', markedOf: ['bare', 'grpc'], measure: streamed(100_000, 150) },
  { name: '  with a window of 1 MiB', unit: ' MB/s', markedOf: [], measure: streamed(100_000, 150, windows[1]) }
]

const median = (values: number[]): number => values.sort((one, other) => one - other)[Math.floor(values.length / 2)]!
const shown = (figures: Figure[], unit: string): string => {
  const p99 = figures[0]!.p99Ms === null ? '' : `, p99 ${median(figures.map(({ p99Ms }) => p99Ms!)).toFixed(2)} ms`
  return `${median(figures.map(({ rate }) => rate)).toFixed(0)}${unit}${p99}`
}

const sides = { bridge: await openBridge(), bare: await openBare('bare', false), coded: await openBare('coded', true), grpc: await openGrpc() }
type Name = keyof typeof sides
const names = Object.keys(sides) as Name[]
let isMet = true
console.log(`${'case'.padEnd(26)}${'bridge'.padEnd(26)}${'bare nats'.padEnd(26)}${'ratio'.padEnd(18)}${'coded too'.padEnd(18)}${'grpc-js'.padEnd(26)}ratio`)
for (const { name, unit, markedOf, measure } of cases) {
  const figures: Record<Name, Figure[]> = { bridge: [], bare: [], coded: [], grpc: [] }
  for (const side of names) await measure(sides[side])
  for (let round = 0; round < rounds; round++) for (const side of names) figures[side].push(await measure(sides[side]))
  const over = (other: Name): number => median(figures.bridge.map(({ rate }, round) => rate / figures[other][round]!.rate))
  const ratios = { bare: over('bare'), coded: over('coded'), grpc: over('grpc') }
  isMet &&= markedOf.every(other => ratios[other] >= marks[other])
  const of = (other: 'bare' | 'grpc'): string => `${ratios[other].toFixed(2)} ×${markedOf.includes(other) ? ` (≥ ${marks[other]})` : ''}`
  const coded = `${ratios.coded.toFixed(2)} ×`
  console.log(`${name.padEnd(26)}${shown(figures.bridge, unit).padEnd(26)}${shown(figures.bare, unit).padEnd(26)}${of('bare').padEnd(18)}${coded.padEnd(18)}${shown(figures.grpc, unit).padEnd(26)}${of('grpc')}`)
}
console.log(`load average ${loadavg().map(load => load.toFixed(1)).join(' ')}`)

for (const side of names) await sides[side].close()
await server.stop()
if (process.argv.includes('--check') && !isMet) process.exitCode = 1
