// Goal: a bug of many files starts many runs, which wait for few trees on one signal, without a warning; closing ends all of
// them. Method: sandboxes that never open.

import t from 'tap'
import type { Arena } from '../../src/domain.ts'
import { SparError } from '../../src/errors.ts'
import { createLimiter } from '../../src/limiter.ts'
import { readLogHere } from '../../src/workers/logs.ts'
import { createCleanRunCache, verifyLimits } from '../../src/verify/index.ts'
import type { Plan } from '../../src/verify/plan.ts'
import { createRuns } from '../../src/verify/runs.ts'

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
  runs.startAll(3)
  await new Promise(resolve => setTimeout(resolve, 20))
  t.ok(opened >= 1 && opened < 40, `${opened} of them are open`)
  await runs.close()
  t.strictSame(warnings.map(warning => warning.message), [])
})
