// A Node process takes longer to start than most tests take to run, so a batch of trials shares one: every candidate is
// tried in a worker thread with modules of its own. First the untouched file is run the same way; where that gives another
// count than a process of its own (tests that change their folder, say), nothing is printed and trials run one by one.
// What it finds is confirmed with the real script before it is kept, so it may only save time.

import { findNodeFlags, scriptHead } from '../../../arena/runners/script.ts'
import { shellQuote } from '../../../quote.ts'
import { trialArguments, type Deadlines, type Trial } from './trials.ts'

/** Processor time of a trial: at least this, and so many times what the file used without a change. */
const leastCpuMs = 400
const slack = 4

export const threadProgram = `const { Worker } = require('node:worker_threads')
const { readFileSync, writeFileSync } = require('node:fs')
const { resolve } = require('node:path')
const batch = JSON.parse(readFileSync(process.env.SOLVER_BATCH, 'utf8'))
const count = (log, word) => (log.match(new RegExp('^ *' + word + ' ', 'gm')) || []).length

function run (file) {
  return new Promise(done => {
    let log = ''
    const thread = new Worker(resolve(file), { stdout: true, stderr: true, env: { ...process.env, TAP: '1' }, resourceLimits: { maxOldGenerationSizeMb: 512 } })
    const startedAt = process.hrtime.bigint()
    const before = process.cpuUsage()
    const timer = setInterval(() => {
      const { user, system } = process.cpuUsage(before)
      if (user + system > spent || Number(process.hrtime.bigint() - startedAt) > batch.wall * 1e9) thread.terminate()
    }, 20)
    thread.stdout.on('data', text => { if (log.length < 4e6) log += text })
    thread.stderr.resume()
    thread.on('error', () => {})
    thread.on('exit', () => { clearInterval(timer); setImmediate(() => done(log)) })
  })
}

async function results () {
  let passed = 0
  let failed = 0
  for (const file of process.argv.slice(2)) {
    const log = await run(file)
    passed += count(log, 'ok')
    failed += count(log, 'not ok')
  }
  return [passed, failed]
}

// Microseconds of processor time that one test file may use: so many times what it used before any change.
let spent = batch.cpu * 1e6

async function main () {
  const start = process.cpuUsage()
  if ((await results())[0] !== batch.best) return
  const { user, system } = process.cpuUsage(start)
  spent = Math.min(spent, Math.max(${leastCpuMs} * 1000, ${slack} * (user + system)))
  for (const [index, path, head, tail, text] of batch.trials) {
    const before = readFileSync(path)
    writeFileSync(path, Buffer.concat([before.subarray(0, head), Buffer.from(text), before.subarray(tail)]))
    const [passed, failed] = await results()
    if (passed > batch.best) {
      console.log('#solver# won ' + index + ' ' + passed + ' ' + failed)
      return
    }
    writeFileSync(path, before)
    console.log('#solver# trial ' + index + ' ' + passed + ' ' + failed)
  }
}

main().then(() => process.exit(0))
`

/** Like `batchCommand`, through worker threads. `options` are Node's own. */
export function threadCommand (scratch: string, files: readonly string[], options: string, deadlines: Deadlines, best: number, trials: readonly Trial[]): string {
  const batch = { best, wall: deadlines.wallSeconds, cpu: deadlines.cpuSeconds, trials: trials.map(trialArguments) }
  const file = (name: string): string => shellQuote(`${scratch}/${name}`)
  return [
    `printf %s ${shellQuote(JSON.stringify(batch))} > ${file('batch.json')}`,
    `[ -f ${file('threads.cjs')} ] || printf %s ${shellQuote(threadProgram)} > ${file('threads.cjs')}`,
    `( ${scriptHead('node', files)}${findNodeFlags}export SOLVER_BATCH=${file('batch.json')}`,
    `ulimit -t $(( ${deadlines.cpuSeconds} * ${trials.length + 2} )) 2>/dev/null`,
    `timeout -k 1 ${deadlines.wallSeconds * trials.length + 10} node \${flags[@]+"\${flags[@]}"} ${options} ${file('threads.cjs')} "\${files[@]}" 2> /dev/null < /dev/null )`
  ].join('\n')
}
