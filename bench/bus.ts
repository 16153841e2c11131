// What the bus costs over bare calls of the client: queue, log and bucket, on one server, in turns of the same run. The
// server is the one that SPAR_TEST_NATS_SERVER names, else that of the PATH, with its default sync.

import { AckPolicy, connect, headers, type NatsConnection } from 'nats'
import { connectNats } from '../src/bus/nats.ts'
import type { Bus } from '../src/bus/types.ts'
import { systemClock } from '../src/clock.ts'
import { startServer } from './processes.ts'

const bytes = new Uint8Array(256).fill(1)
const mark = 0.8
const rounds = 5
const { signal } = new AbortController()

const server = await startServer('default')
const { url } = server
const small = { queueBytesMax: 2 ** 26, logBytesMax: 2 ** 28, keyValueBytesMax: 2 ** 26, objectBytesMax: 2 ** 26 }
const bus = await connectNats({ servers: [url], name: 'bench', clock: systemClock, limits: small })
const bare = await connect({ servers: url })
const jsm = await bare.jetstreamManager()
await jsm.streams.add({ name: 'Q', subjects: ['q.>'], retention: 'workqueue' as never })
await jsm.consumers.add('Q', { durable_name: 'c', ack_policy: AckPolicy.Explicit })
await jsm.streams.add({ name: 'L', subjects: ['l.>'] })
await jsm.streams.add({ name: 'K', subjects: ['k.>'], max_msgs_per_subject: 1 })

let number = 0
const js = bare.jetstream()
const over = (sequence: number) => {
  const header = headers()
  header.set('Nats-Expected-Last-Subject-Sequence', String(sequence))
  return { headers: header }
}

type Measured = (count: number) => Promise<void>
const serially = (call: () => Promise<unknown>): Measured => async count => { for (let index = 0; index < count; index++) await call() }
const inFlight = (width: number, call: () => Promise<unknown>): Measured => async count => { await Promise.all(Array.from({ length: width }, () => serially(call)(Math.ceil(count / width)))) }

async function barePull (nc: NatsConnection): Promise<void> {
  const message = await nc.request('$JS.API.CONSUMER.MSG.NEXT.Q.c', JSON.stringify({ batch: 1, expires: 1e9 }), { timeout: 2_000, noMux: true })
  await nc.request(message.reply!, '+ACK', { timeout: 2_000 })
}
async function pull ({ queue }: Bus): Promise<void> {
  await (await queue.pull('rollout', 'a', { waitMs: 1_000, signal }))!.ack()
}
let bareRevision = 0
let revision = 0

const cases: { name: string; count: number; ours: Measured; bare: Measured }[] = [
  { name: 'queue: add, pull, ack', count: 400,
    ours: serially(async () => { await bus.queue.add({ kind: 'rollout', arena: 'a', run: 'r', id: `${number++}` }, bytes); await pull(bus) }),
    bare: serially(async () => { await js.publish(`q.${number++}`, bytes, over(0)); await barePull(bare) }) },
  { name: 'log: create', count: 1_000, ours: serially(() => bus.log.records.create(`r.${number++}`, bytes)), bare: serially(() => js.publish(`l.${number++}`, bytes, over(0))) },
  { name: 'log: create, 64 in flight', count: 6_400, ours: inFlight(64, () => bus.log.records.create(`r.${number++}`, bytes)), bare: inFlight(64, () => js.publish(`l.${number++}`, bytes, over(0))) },
  { name: 'bucket: update', count: 1_000,
    ours: serially(async () => { revision = await bus.kv.runs.update('r', bytes, revision) }),
    bare: serially(async () => { bareRevision = (await js.publish('k.r', bytes, over(bareRevision))).seq }) }
]

const median = (values: number[]): number => values.sort((one, other) => one - other)[Math.floor(values.length / 2)]!
let isMet = true
for (const { name, count, ours, bare } of cases) {
  const rate = async (measured: Measured): Promise<number> => {
    const at = performance.now()
    await measured(count)
    return count / (performance.now() - at) * 1_000
  }
  await ours(50)
  await bare(50)
  const rates: { ours: number; bare: number }[] = []
  for (let round = 0; round < rounds; round++) rates.push({ ours: await rate(ours), bare: await rate(bare) })
  const ratio = median(rates.map(({ ours, bare }) => ours / bare))
  isMet &&= ratio >= mark
  console.log(`${name.padEnd(28)} ${median(rates.map(({ ours }) => ours)).toFixed(0)}/s, bare ${median(rates.map(({ bare }) => bare)).toFixed(0)}/s: ${ratio.toFixed(2)} × (mark ≥ ${mark})`)
}

await bus.close()
await bare.close()
await server.stop()
if (process.argv.includes('--check') && !isMet) process.exitCode = 1
