// A node of the load bench: everything is real but the policies and the sandboxes, which answer at set latencies. Verification
// and grading are answered by their work's id, since there is nothing to run. Says `ready`, and at SIGUSR2 what it uses.

import { hostname } from 'node:os'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { startNode } from '../actors/node.ts'
import { workHandlers } from '../actors/work/index.ts'
import { connectNats } from '../src/bus/nats.ts'
import { systemClock } from '../src/clock.ts'
import type { Reply } from '../src/domain.ts'
import type { ExecResult, Policy, Sandbox, Sandboxes } from '../src/ports.ts'
import { standInArena, standInHandlers } from '../test/helpers/cluster-fixture.ts'

const { values } = parseArgs({ options: {
  nats: { type: 'string' }, name: { type: 'string' }, run: { type: 'string', default: '40' }, check: { type: 'string', default: '8' }, own: { type: 'string', default: '32' },
  turns: { type: 'string', default: '4' }, 'policy-ms': { type: 'string', default: '20' }, 'command-ms': { type: 'string', default: '2' }, 'ack-wait-ms': { type: 'string', default: '3000' }
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
const bus = await connectNats({ servers: [values.nats!], name: values.name!, clock: systemClock, ackWaitMs: Number(values['ack-wait-ms']) })
let spent = 0
const node = startNode({
  nodeId: values.name!, bus, drainMs: 1000, about: { host: hostname(), pid: process.pid, version: '0', labels: {} },
  slots: { start: 2, run: Number(values.run), verify: Number(values.check), grade: Number(values.check), own: Number(values.own) },
  open: async ({ target }) => standInArena(target),
  onEvent: event => { if (event.type === 'delivered' && event.outcome !== 'settled') process.stderr.write(JSON.stringify(event) + '\n') },
  ports: { clock: systemClock, sandboxes, verify: null as never, policiesOf: async () => ({ breaker: policy, solver: policy }), handlers: { ...answered, break: workHandlers.break, solve: workHandlers.solve } }
})
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
say({ ended: true, ...use() })
await bus.close()
