// What a task costs on its way to a worker thread and back, against a bare thread and postMessage in the same run: one hop
// with 1 KB, one megabyte moved there and back, and many small tasks at once, which go together.
// Usage: node dist/bench/pool.js [--check]

import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { createPool, type Workers } from '../src/workers/pool.ts'

const marks = { hopUs: 30, movedUs: 60, batchedUs: 100 }
const missed: string[] = []

const quantile = (values: number[], q: number): number => [...values].sort((a, b) => a - b)[Math.floor(values.length * q)]!

async function timesUs (rounds: number, work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const startedAt = performance.now()
    await work()
    times.push((performance.now() - startedAt) * 1000)
  }
  return times.slice(rounds >> 2)
}

function report (name: string, us: number, baselineUs: number, markUs: number): void {
  const holds = us <= markUs
  if (!holds) missed.push(name)
  console.log(`${name.padEnd(34)} ${us.toFixed(1)} µs, bare postMessage ${baselineUs.toFixed(1)} µs, ${(us / baselineUs).toFixed(2)} ×   mark ≤ ${markUs} µs ${holds ? 'holds' : 'MISSED'}`)
}

/** A thread that sends back what it gets, moving buffers, as bare as can be. */
function bareThread (): { ask (value: unknown, transfer: ArrayBuffer[]): Promise<{ bytes: Uint8Array }>; end (): Promise<number> } {
  const worker = new Worker(`const { parentPort } = require('node:worker_threads')
    parentPort.on('message', value => parentPort.postMessage(value, value.bytes.length > 100000 ? [value.bytes.buffer] : []))`, { eval: true })
  let answer = (_: { bytes: Uint8Array }): void => {}
  worker.on('message', value => answer(value))
  return {
    ask: (value, transfer) => new Promise(resolve => {
      answer = resolve
      worker.postMessage(value, transfer)
    }),
    end: () => worker.terminate()
  }
}

const echoFile = fileURLToPath(new URL('./pool-thread.js', import.meta.url))
const pool: Workers = createPool({ threads: 1, threadFile: echoFile })
const bare = bareThread()
const echo = async (bytes: Uint8Array, transfer: ArrayBuffer[] = []): Promise<Uint8Array> =>
  (await pool.run('echo' as never, { bytes } as never, { transfer }) as unknown as { bytes: Uint8Array }).bytes

const kilobyte = new Uint8Array(1024).fill(1)
await Promise.all([echo(kilobyte), bare.ask({ bytes: kilobyte }, [])])
console.log(`load ${loadavg()[0]!.toFixed(1)}`)

// In turns, so that what else the machine does strikes both.
const hop = { ours: [] as number[], bare: [] as number[] }
for (let block = 0; block < 10; block++) {
  hop.ours.push(...await timesUs(1000, () => echo(kilobyte)))
  hop.bare.push(...await timesUs(1000, () => bare.ask({ bytes: kilobyte }, [])))
}
report('hop with 1 KB, p50', quantile(hop.ours, 0.5), quantile(hop.bare, 0.5), marks.hopUs)

let [mine, theirs] = [new Uint8Array(2 ** 20), new Uint8Array(2 ** 20)]
const moved = { ours: [] as number[], bare: [] as number[] }
for (let block = 0; block < 10; block++) {
  moved.ours.push(...await timesUs(200, async () => { mine = await echo(mine, [mine.buffer as ArrayBuffer]) as never }))
  moved.bare.push(...await timesUs(200, async () => { theirs = (await bare.ask({ bytes: theirs }, [theirs.buffer as ArrayBuffer])).bytes as never }))
}
report('1 MB moved there and back, p50', quantile(moved.ours, 0.5), quantile(moved.bare, 0.5), marks.movedUs)

const many = 1000
const batched = await timesUs(20, () => Promise.all(Array.from({ length: many }, () => echo(kilobyte))))
report(`each of ${many} small tasks at once`, quantile(batched, 0.5) / many, quantile(hop.bare, 0.5), marks.batchedUs)

await Promise.all([pool.close(), bare.end()])
if (process.argv.includes('--check') && missed.length > 0) {
  console.error(`missed: ${missed.join(', ')}`)
  process.exitCode = 1
}
