// A node of the load bench: everything is real but the policies and the sandboxes, which answer at set latencies. Verification
// and grading are answered by their work's id, since there is nothing to run. Says `ready`, and at SIGUSR2 what it uses.

import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { hostname } from 'node:os'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { startNode } from '../actors/node.ts'
import { workHandlers } from '../actors/work/index.ts'
import { connectNats } from '../src/bus/nats.ts'
import { systemClock } from '../src/clock.ts'
import type { Reply } from '../src/domain.ts'
import type { ExecResult, Policy, Sandbox, Sandboxes } from '../src/ports.ts'
import { createNodeLog } from '../src/cli/node-log.ts'
import type { NodeReport } from '../src/cluster/report.ts'
import { countReport, measureNode } from '../src/metrics/node.ts'
import { createMetrics } from '../src/metrics/registry.ts'
import { countRollouts } from '../src/metrics/rollouts.ts'
import { measureSandboxes } from '../src/metrics/sandboxes.ts'
import { joinWatches } from '../src/rollout/watch.ts'
import { createOtlpTracer } from '../src/traces/otlp.ts'
import { traceDelivery, traceRollouts } from '../src/traces/work.ts'
import { standInArena, standInHandlers } from '../test/helpers/cluster-fixture.ts'

const { values } = parseArgs({ options: {
  nats: { type: 'string' }, name: { type: 'string' }, run: { type: 'string', default: '40' }, check: { type: 'string', default: '8' }, own: { type: 'string', default: '32' },
  turns: { type: 'string', default: '4' }, 'policy-ms': { type: 'string', default: '20' }, 'command-ms': { type: 'string', default: '2' }, 'ack-wait-ms': { type: 'string', default: '3000' },
  /** `log`: every event is written to the log; `metrics`: and counted, and scraped every second; `traces`: and traced, to --otlp. */
  watch: { type: 'string', default: 'none' }, otlp: { type: 'string' }
} })
const turns = Number(values.turns)
const policyMs = Number(values['policy-ms'])
const commandMs = Number(values['command-ms'])
const after = (ms: number): Promise<unknown> => ms === 0 ? new Promise(resolve => setImmediate(resolve)) : sleep(ms)

const paths = { testScript: 's', testFiles: 't', testParser: 'p.js', bugInject: 'b', testWeaken: 'w' }
const result: ExecResult = { exitCode: 0, output: Buffer.from('ok\n'), truncatedBytes: 0, killed: null, durationMs: 0 }
/** A patch of its own for every rollout. */
const patchOf = (purpose: string): Uint8Array => Buffer.from(`diff --git a/a.js b/a.js\n--- a/a.js\n+++ b/a.js\n@@ -1 +1 @@\n-old\n+${purpose}\n`)

const policy: Policy = {
  name: 'scripted', version: '1',
  start: ({ role }) => {
    let turn = 0
    return {
      async next (): Promise<Reply> {
        await after(policyMs)
        return { text: '', call: ++turn < turns ? { tool: 'bash', command: 'true' } : { tool: 'submit', paths: role === 'breaker' ? paths : null }, fault: null }
      },
      close: async () => {}
    }
  }
}

const open = (purpose: string): Sandbox => ({
  id: purpose, kind: 'process', isolation: 'none', tree: '/tree', scratch: '/scratch',
  async exec () { await after(commandMs); return result },
  async readFile () { await after(0); return patchOf(purpose) },
  writeFile: async () => {},
  destroy: async () => {}
})
const sandboxes: Sandboxes = { kind: 'process', open: async ({ label }) => { await after(commandMs); return open(label.purpose) }, reap: async () => ({ removed: [] }), close: async () => {} }

const answered = standInHandlers({ before: async () => { await after(commandMs) }, anyPatch: true })
const watches = ['none', 'log', 'metrics', 'traces'].indexOf(values.watch)
const log = watches < 1 ? null : createNodeLog({ out: line => { logged.write(line + '\n') }, err: () => {} }, { json: true, level: 'info', node: values.name! })
const logged = createWriteStream('/dev/null')
const metrics = watches < 2 ? undefined : createMetrics({ process: true })
const tracer = watches < 3 ? null : createOtlpTracer({ url: values.otlp!, resource: { 'service.name': 'spar' }, clock: systemClock, onTrouble: reason => process.stderr.write(reason + '\n') })
const counted = metrics && countRollouts(metrics)
const traced = { content: false, share: 1 }
const onEvent = (event: NodeReport): void => {
  if (event.type === 'delivered' && event.outcome !== 'settled') process.stderr.write(JSON.stringify(event) + '\n')
  log?.(event)
  if (metrics !== undefined) countReport(metrics, event)
  if (tracer !== null && event.type === 'delivered') traceDelivery(tracer, event, traced)
}
const bus = await connectNats({ servers: [values.nats!], name: values.name!, clock: systemClock, ackWaitMs: Number(values['ack-wait-ms']) })
let spent = 0
const node = startNode({
  nodeId: values.name!, bus, drainMs: 1000, about: { host: hostname(), pid: process.pid, version: '0', labels: {} },
  slots: { start: 2, run: Number(values.run), verify: Number(values.check), grade: Number(values.check), own: Number(values.own) },
  open: async ({ target }) => standInArena(target),
  onEvent,
  ports: { clock: systemClock, newId: randomUUID, sandboxes: metrics === undefined ? sandboxes : measureSandboxes(sandboxes, metrics, systemClock), metrics, watch: counted && (run => joinWatches(tracer === null ? [counted] : [counted, traceRollouts(tracer, run, traced, systemClock.now)])), verify: null as never, policiesOf: async () => ({ breaker: policy, solver: policy }), handlers: { ...answered, break: workHandlers.break, solve: workHandlers.solve } }
})
if (metrics !== undefined) {
  measureNode(metrics, node, { bus, clock: systemClock })
  setInterval(() => { void metrics.expose() }, 1000).unref()
}
await node.ready
const say = (about: object): void => { process.stdout.write(JSON.stringify(about) + '\n') }
const use = (): object => {
  globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  return { cpuMs: (user + system) / 1000 - spent, heapBytes: process.memoryUsage().heapUsed + process.memoryUsage().external, slots: node.presence().slots }
}
process.on('SIGUSR2', () => say(use()))
process.on('SIGTERM', () => { node.drain() })
const { user, system } = process.cpuUsage()
spent = (user + system) / 1000
say({ ready: true })
await node.ended
say({ ended: true, ...use(), ...tracer?.counts() })
await tracer?.close()
await bus.close()
