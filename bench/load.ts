// What the cluster carries: real node processes and a real nats-server (every write synced), with policies and sandboxes that
// answer at set latencies. For 1, 2 and 4 nodes: episodes and rollouts a second, how long work waits, and what a rollout costs
// its node's processor. Then what a second node adds, the memory of a rollout in flight, and how long it takes until the work of
// a killed node is taken. `--check` turns the marks into an exit code.
// Usage: npm run load -- [--episodes 10000] [--nodes 1,2,4] [--only rate,scale,memory,recovery,watching] [--rounds 5] [--check]

import { spawnSync, type ChildProcess } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { loadavg } from 'node:os'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { connectNats } from '../src/bus/nats.ts'
import { upToNow } from '../src/bus/now.ts'
import type { Bus } from '../src/bus/types.ts'
import { systemClock } from '../src/clock.ts'
import { unpack } from '../src/cluster/codec.ts'
import { readRecordKey } from '../src/cluster/keys.ts'
import { createLedgerCount } from '../src/cluster/ledger.ts'
import { readEnding, type Dispatched } from '../src/cluster/records.ts'
import { documentOf, submit } from '../test/helpers/cluster-fixture.ts'
import { benchServer, started, startServer } from './processes.ts'

const { values } = parseArgs({ options: {
  check: { type: 'boolean', default: false }, episodes: { type: 'string', default: '10000' }, nodes: { type: 'string', default: '1,2,4' }, 'in-flight': { type: 'string', default: '100' },
  'policy-ms': { type: 'string', default: '20' }, 'command-ms': { type: 'string', default: '2' }, turns: { type: 'string', default: '4' }, group: { type: 'string', default: '8' }, slots: { type: 'string', default: '64' }, 'scale-slots': { type: 'string', default: '12' }, rounds: { type: 'string', default: '5' }, only: { type: 'string', default: 'rate,scale,memory,recovery' }
} })
const marks = { rolloutsPerSecond: 300, scale: 1.7, rolloutBytes: 64 * 1024, recoveryMs: 2_000 }
const ackWaitMs = 3_000
const failed: string[] = []
const entry = fileURLToPath(new URL('./load-node.js', import.meta.url))

function mark (name: string, holds: boolean): string {
  if (!holds) failed.push(name)
  return holds ? 'met' : 'MISSED'
}

// ---- processes ------------------------------------------------------------------------------------------------------

/** User and system time of a process, from /proc (a tick is 10 ms). */
function cpuOf (pid: number): number {
  const fields = spawnSync('cat', [`/proc/${pid}/stat`], { encoding: 'utf8' }).stdout.split(') ')[1]?.split(' ')
  return fields === undefined ? 0 : (Number(fields[11]) + Number(fields[12])) * 10
}

interface LoadNode { child: ChildProcess; said (): Promise<Record<string, number>>; use (): Promise<Record<string, number>>; stop (): Promise<Record<string, number>> }

async function startLoadNode (url: string, name: string, more: string[] = []): Promise<LoadNode> {
  const child = started(process.execPath, ['--expose-gc', entry, '--nats', url, '--name', name, '--turns', values.turns, '--policy-ms', values['policy-ms'], '--command-ms', values['command-ms'], '--ack-wait-ms', String(ackWaitMs), ...more], 'pipe', 'inherit')
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const said = async (): Promise<Record<string, number>> => JSON.parse((await lines.next()).value as string) as Record<string, number>
  await said()
  return {
    child, said,
    async use () { child.kill('SIGUSR2'); return await said() },
    async stop () { child.kill('SIGTERM'); return await said() }
  }
}

// ---- what the records say -------------------------------------------------------------------------------------------

interface Measured { rollouts: number; episodes: number; seconds: number; waits: number[]; balanced: boolean }

async function measure (bus: Bus, run: string): Promise<Measured> {
  const dispatched = new Map<string, number>()
  const waits: number[] = []
  const ledger = createLedgerCount()
  let [first, last, rollouts] = [Infinity, 0, 0]
  for await (const record of upToNow(signal => bus.log.records.follow(run, signal))) {
    ledger.enter(record)
    const name = readRecordKey(record.key)
    if (name?.kind !== 'work') continue
    if (name.entry === 'dispatched') dispatched.set(name.work, unpack<Dispatched>(record.bytes, record.key).at)
    if (name.entry !== 'ended') continue
    const ending = readEnding(record.bytes, record.key)
    first = Math.min(first, ending.startedAt)
    last = Math.max(last, ending.at)
    if (/\.(break|solve)/.test(name.work)) rollouts++
    const at = dispatched.get(name.work)
    if (at !== undefined) waits.push(Math.max(0, ending.startedAt - at))
  }
  const { dispatched: all, settled, cancelled, quarantined } = ledger.totals()
  return { rollouts, episodes: ledger.episodes(), seconds: (last - first) / 1000, waits: waits.sort((a, b) => a - b), balanced: all === settled + cancelled + quarantined }
}

const at = (sorted: readonly number[], share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN

async function untilDone (bus: Bus, run: string): Promise<void> {
  for await (const change of bus.kv.runs.watch(run, new AbortController().signal)) if (change?.bytes && unpack<{ state: string }>(change.bytes, run).state === 'done') return
}

const connect = async (url: string): Promise<Bus> => await connectNats({ servers: [url], name: 'load', clock: systemClock, ackWaitMs })
const document = (name: string, episodes: number) => ({ ...documentOf(name, { episodes, group: Number(values.group), maxOrder: 1 }), inFlight: Number(values['in-flight']) })

// ---- measurements ---------------------------------------------------------------------------------------------------

/** `slots` of rollouts a node. */
async function rate (nodes: number, slots: number, count: number): Promise<number> {
  const server = await startServer('always')
  const bus = await connect(server.url)
  const running = await Promise.all(Array.from({ length: nodes }, (_, index) => startLoadNode(server.url, `n${index + 1}`, ['--run', String(slots)])))
  const run = `rate-${nodes}`
  const serverCpu = cpuOf(server.pid)
  await submit(bus, document(run, count))
  await untilDone(bus, run)
  const spentByServer = cpuOf(server.pid) - serverCpu
  const used = await Promise.all(running.map(node => node.stop()))
  const { rollouts, episodes, seconds, waits, balanced } = await measure(bus, run)
  const perSecond = rollouts / seconds
  const nodeCpu = used.reduce((sum, { cpuMs }) => sum + cpuMs!, 0)
  console.log(`  ${nodes} node${nodes > 1 ? 's' : ' '} of ${slots} slots  ${perSecond.toFixed(0).padStart(5)} rollouts/s  ${(episodes / seconds).toFixed(1).padStart(6)} episodes/s  wait p50 ${at(waits, 0.5)} ms, p99 ${at(waits, 0.99)} ms  ` +
    `${(nodeCpu / rollouts).toFixed(2)} ms of processor a rollout in the nodes, ${(spentByServer / rollouts).toFixed(2)} in nats-server; ${Math.max(...used.map(({ heapBytes }) => heapBytes! / 2 ** 20)).toFixed(0)} MB of heap in a node at the end (${rollouts} rollouts in ${seconds.toFixed(1)} s${balanced ? '' : ', LEDGER DOES NOT BALANCE'})`)
  if (!balanced) failed.push('ledger')
  await bus.close()
  await server.stop()
  return perSecond
}

/** What a node uses with so many rollouts that wait for their policy, and the episodes they belong to. */
async function usedWith (slots: number): Promise<number> {
  const server = await startServer('always')
  const bus = await connect(server.url)
  const episodes = Math.ceil(slots / Number(values.group)) + 2
  const node = await startLoadNode(server.url, 'full', ['--run', String(slots), '--policy-ms', '4000', '--own', String(episodes)])
  await submit(bus, { ...document('memory', episodes * 4), inFlight: episodes })
  // Past the breakers, with every slot at an attempt.
  for (let tries = 0, settled = 0; ; tries++) {
    await sleep(500)
    const { heapBytes, slots: groups } = await node.use() as unknown as { heapBytes: number; slots: Record<string, { busy: number; done: number }> }
    const { busy, done } = groups['run']!
    settled = busy === slots && done >= slots ? settled + 1 : 0
    if (tries > 120) throw new Error(`${busy} of ${slots} slots are at work: there is nothing to measure`)
    if (settled >= 3) {
      node.child.kill('SIGKILL')
      await bus.close()
      await server.stop()
      return heapBytes
    }
  }
}

/** Two nodes that differ in nothing but how many rollouts are in flight. */
async function memory (): Promise<void> {
  const [few, many] = [16, 80]
  const bytes = (await usedWith(many) - await usedWith(few)) / (many - few)
  console.log(`  ${(bytes / 1024).toFixed(1)} KB a rollout in flight, its share of an episode included (${many} in flight against ${few}; mark ${marks.rolloutBytes / 1024} KB: ${mark('memory', bytes <= marks.rolloutBytes)})`)
}

/** Two nodes, one killed: from the kill until every piece of its work was taken by the other. */
async function recovery (): Promise<void> {
  const server = await startServer('always')
  const bus = await connect(server.url)
  const [victim, other] = await Promise.all([startLoadNode(server.url, 'victim', ['--policy-ms', '400']), startLoadNode(server.url, 'other', ['--policy-ms', '400'])])
  await submit(bus, document('recovery', 60))
  await sleep(4_000)
  victim!.child.kill('SIGKILL')
  const killedAt = Date.now()
  await untilDone(bus, 'recovery')
  await other!.stop()
  let last = 0
  let count = 0
  for await (const record of upToNow(signal => bus.log.records.follow('recovery', signal))) {
    const name = readRecordKey(record.key)
    if (name?.kind !== 'work' || name.entry !== 'ended') continue
    const ending = readEnding(record.bytes, record.key)
    if (ending.delivery < 2) continue
    count++
    last = Math.max(last, ending.startedAt - killedAt)
  }
  console.log(`  ${count} pieces of work of the killed node were taken again within ${last} ms (ack wait ${ackWaitMs} ms; mark ack wait + ${marks.recoveryMs} ms: ${mark('recovery', count > 0 && last <= ackWaitMs + marks.recoveryMs)})`)
  await bus.close()
  await server.stop()
}

/** One node, watched more and more: what that costs its processor for a rollout. Interleaved, since the machine has other things to do. */
async function watching (): Promise<void> {
  const receiver = createServer((request, response) => { request.resume().on('end', () => { response.setHeader('content-type', 'application/json'); response.end('{}') }) })
  await new Promise<void>(resolve => receiver.listen(0, '127.0.0.1', resolve))
  const otlp = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
  const costs: Record<string, number[]> = { none: [], log: [], metrics: [], traces: [] }
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [watch, list] of Object.entries(costs)) {
      const server = await startServer('always')
      const bus = await connect(server.url)
      const node = await startLoadNode(server.url, 'watched', ['--run', values.slots, '--watch', watch, '--otlp', otlp])
      await submit(bus, document('watched', Math.min(Number(values.episodes), 300)))
      await untilDone(bus, 'watched')
      const { cpuMs, dropped = 0, failed: lost = 0 } = await node.stop()
      const { rollouts } = await measure(bus, 'watched')
      list.push(cpuMs! / rollouts)
      if (dropped + lost > 0) console.log(`  ${dropped} spans dropped, ${lost} failed`)
      await bus.close()
      await server.stop()
    }
  }
  const median = (list: number[]): number => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]!
  const base = median(costs['none']!)
  for (const [watch, list] of Object.entries(costs)) console.log(`  ${watch.padEnd(8)} ${median(list).toFixed(2)} ms of processor a rollout in its node, ${(median(list) / base).toFixed(3)} of that with none (${list.map(cost => cost.toFixed(2)).join(' ')})`)
  receiver.close()
}

const only = values.only.split(',')
const { version, knowsSync } = benchServer()
console.log(`nats-server ${version}${knowsSync ? '' : ' (cannot sync with every write)'}; load average ${loadavg()[0]!.toFixed(1)}; groups of ${values.group}, ${values.turns} turns of ${values['policy-ms']} ms policy and ${values['command-ms']} ms command, ${values['in-flight']} episodes in flight`)
if (only.includes('rate')) {
  console.log('as much as a node carries (on two cores its server is beside it):')
  for (const nodes of values.nodes.split(',').map(Number)) {
    const perSecond = await rate(nodes, Number(values.slots), Number(values.episodes))
    if (nodes === 1) console.log(`  one node: mark ${marks.rolloutsPerSecond} rollouts/s: ${mark('rate', perSecond >= marks.rolloutsPerSecond)}`)
  }
}
if (only.includes('scale')) {
  console.log('what another node adds where the slots are the bound and not the cores:')
  const slots = Number(values['scale-slots'])
  const episodes = Math.max(1, Math.min(Number(values.episodes), 400))
  const one = await rate(1, slots, episodes)
  const two = await rate(2, slots, 2 * episodes)
  console.log(`  from 1 to 2 nodes ${(two / one).toFixed(2)} x (mark ${marks.scale}: ${mark('scale', two / one >= marks.scale)})`)
}
if (only.includes('memory')) await memory()
if (only.includes('recovery')) await recovery()
if (only.includes('watching')) {
  console.log('what log, metrics (scraped every second) and traces add, each to the one before it:')
  await watching()
}
console.log(`load average ${loadavg()[0]!.toFixed(1)} at the end${failed.length > 0 ? `; missed: ${failed.join(', ')}` : ''}`)
process.exit(values.check && failed.length > 0 ? 1 : 0)
