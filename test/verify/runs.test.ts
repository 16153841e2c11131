// Goal: a bug of many files starts many runs, which wait for few trees on one signal, without a warning; closing ends all of
// them. Nothing of a bug runs before its patch was looked through. Method: sandboxes that never open; real ones that are listened to.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Arena } from '../../src/domain.ts'
import { SparError } from '../../src/errors.ts'
import { createLimiter } from '../../src/limiter.ts'
import { readLogHere } from '../../src/workers/logs.ts'
import { createCleanRunCache, verifyLimits } from '../../src/verify/index.ts'
import type { Plan } from '../../src/verify/plan.ts'
import { createRuns } from '../../src/verify/runs.ts'
import type { Sandbox, SandboxSpec } from '../../src/ports.ts'
import { openLab, valid } from './fixture.ts'

t.test('more waiting runs than a signal has listeners by default', async t => {
  const warnings: Error[] = []
  const keep = (warning: Error): void => { warnings.push(warning) }
  process.on('warning', keep)
  t.teardown(() => process.off('warning', keep))
  const units = Array.from({ length: 40 }, (_, index) => ({ oldPath: `${index}.js`, newPath: `${index}.js`, bytes: new Uint8Array() }))
  const plan = { units, testFiles: [], inject: { name: 'bug_inject.diff', bytes: new Uint8Array() }, weaken: { name: 'test_weaken.diff', bytes: new Uint8Array() } } as unknown as Plan
  let opened = 0
  const open = (_spec: unknown, signal?: AbortSignal): Promise<never> => new Promise((_resolve, reject) => {
    opened++
    signal?.addEventListener('abort', () => reject(new SparError('SANDBOX_LOST', 'closed', { retryable: true })), { once: true })
  })
  const suite = { script: new Uint8Array(), parser: new Uint8Array(), parserName: 'test_parser.js' }
  const runs = createRuns(plan, { arena: { id: 'x', runner: 'custom' } as Arena, run: 'test', suite, limits: verifyLimits }, { sandboxes: { open }, cores: createLimiter(1), cleanRuns: createCleanRunCache(), readLog: readLogHere, survey: async () => [] })
  runs.prepareAll(3)
  runs.begin()
  await new Promise(resolve => setTimeout(resolve, 20))
  t.ok(opened >= 1 && opened < 40, `${opened} of them are open`)
  await runs.close()
  t.strictSame(warnings.map(warning => warning.message), [])
})

t.test('trees are ready before the look is over, and nothing runs in them', async t => {
  const lab = await openLab(t)
  const [opened, ran]: [string[], string[]] = [[], []]
  const open = async (spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> => {
    const sandbox = await lab.sandboxes.open(spec, signal)
    const { id, kind, isolation, tree, scratch } = sandbox
    opened.push(spec.label.purpose)
    return {
      id, kind, isolation, tree, scratch,
      async exec (command, options) {
        if (command.includes('test_script.sh')) ran.push(spec.label.purpose)
        return await sandbox.exec(command, options)
      },
      readFile: (path, bytesMax) => sandbox.readFile(path, bytesMax),
      writeFile: (path, bytes, mode) => sandbox.writeFile(path, bytes, mode),
      destroy: () => sandbox.destroy()
    }
  }
  const before = { opened: [] as string[], ran: [] as string[] }
  const survey = async (): Promise<[]> => {
    await sleep(1_500)
    Object.assign(before, { opened: [...opened], ran: [...ran] })
    return []
  }
  const verdict = await lab.verify(valid, { ports: { sandboxes: { open }, survey } })
  t.equal(verdict.valid, true)
  t.ok(before.opened.includes('buggy'), before.opened.join(' '))
  t.strictSame(new Set(before.ran), new Set(['clean']), 'the original needs no look')
  t.ok(['buggy', 'weakened'].every(purpose => ran.includes(purpose)), ran.join(' '))
  t.strictSame(lab.left(), [])
})
