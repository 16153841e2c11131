// Goal: a storm of openings reaches the machine or the engine as a trickle. Method: a clock that stands still but for those
// who sleep; then both kinds of sandboxes under it, the containers' engine refusing at once, as one in trouble does.

import { join } from 'node:path'
import t from 'tap'

import { systemClock } from '../../src/clock.ts'
import type { Clock } from '../../src/ports.ts'
import { createEngine } from '../../src/sandbox/docker/engine.ts'
import { createDockerSandboxes } from '../../src/sandbox/docker/index.ts'
import { startsBurstSeconds } from '../../src/sandbox/limits.ts'
import { createProcessSandboxes } from '../../src/sandbox/process/index.ts'
import { createStarts } from '../../src/sandbox/starts.ts'
import { findTestEngine, makeArenaFolder, specOf } from '../helpers/sandbox-fixture.ts'
import { testFolder } from '../helpers/test-folder.ts'

/** Time passes only for whoever sleeps. */
function standing (): Clock & { set (ms: number): void; slept: number[] } {
  let now = 1_000_000
  const slept: number[] = []
  return {
    slept,
    now: () => now,
    set (ms) { now = ms },
    async sleep (ms, signal) {
      signal?.throwIfAborted()
      slept.push(ms)
      await new Promise(resolve => setImmediate(resolve))
      now += ms
    },
    after: () => () => {}
  }
}

t.test('a burst begins at once, the rest at the rate, and a bucket that had time is full again', async t => {
  const clock = standing()
  const starts = createStarts({ atOnce: 8, perSecond: 10, burst: 4, clock })
  const from = clock.now()
  const times = await Promise.all(Array.from({ length: 7 }, () => starts(async () => clock.now() - from)))
  t.same(times, [0, 0, 0, 0, 100, 200, 300])
  clock.set(clock.now() + 60_000)
  const before = clock.slept.length
  for (let count = 0; count < 4; count++) await starts(async () => {})
  t.equal(clock.slept.length, before, 'no more than a burst is saved up')
  await starts(async () => {})
  t.equal(clock.slept.at(-1), 100)
})

t.test('whoever gives up takes nothing, and a clock that is set back holds nobody up', async t => {
  const clock = standing()
  const starts = createStarts({ atOnce: 8, perSecond: 10, burst: 1, clock })
  await starts(async () => {})
  const gone = new AbortController()
  const { sleep } = clock
  clock.sleep = (_, signal) => new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason as Error)))
  const waiting = starts(async () => t.fail('it was given up'), gone.signal)
  setTimeout(() => gone.abort(), 10)
  await t.rejects(waiting, { code: 'SANDBOX_ABORTED' })
  clock.sleep = sleep
  await starts(async () => {})
  t.equal(clock.slept.at(-1), 100, 'the next waits once')
  clock.set(clock.now() - 3_600_000)
  await starts(async () => {})
  t.equal(clock.slept.at(-1), 100)
})

t.test('process sandboxes start at the rate', async t => {
  const folder = testFolder(t)
  const slept: number[] = []
  const clock: Clock = { ...systemClock, sleep (ms, signal) { slept.push(ms); return systemClock.sleep(ms, signal) } }
  const sandboxes = await createProcessSandboxes({ home: join(folder, 'home'), isolation: 'none', prepared: 0, startsPerSecond: 0.2, clock })
  t.teardown(() => sandboxes.close())
  const arena = makeArenaFolder(folder)
  const late = new AbortController()
  const [first, second] = [sandboxes.open(specOf(arena)), sandboxes.open(specOf(arena), late.signal)]
  const refused = t.rejects(second, { code: 'SANDBOX_ABORTED' })
  await first
  t.ok(slept.some(ms => ms > 4_000 && ms <= 5_000), 'the next has to wait for five seconds')
  late.abort()
  await refused
  await t.rejects(createProcessSandboxes({ home: folder, startsPerSecond: 0 }), { code: 'SANDBOX_BAD_LIMIT' })
})

t.test('an engine that refuses at once is asked at the rate', async t => {
  const found = await findTestEngine()
  if ('reason' in found) return process.env['CI'] !== undefined ? void t.fail(found.reason) : void t.pass('no engine here', { skip: found.reason })
  const folder = testFolder(t)
  const clock = standing()
  const asked: number[] = []
  const real = createEngine(found.docker)
  const image = (await found.docker.listImages())[0]!.Id
  const engine = { ...real, create: async () => { asked.push(clock.now()); throw new Error('too many requests') } }
  const sandboxes = await createDockerSandboxes({ docker: engine, home: folder, clock, prepared: 0, startsPerSecond: 4 })
  t.teardown(() => sandboxes.close())
  const arena = { ...makeArenaFolder(folder), image, imagePath: '/testbed' }
  const from = clock.now()
  const endings = await Promise.allSettled(Array.from({ length: 28 }, () => sandboxes.open(specOf(arena))))
  t.ok(endings.every(({ status }) => status === 'rejected'))
  t.equal(asked.length, 28)
  const burst = 4 * startsBurstSeconds
  for (const [index, at] of asked.entries()) t.equal(at - from >= Math.max(0, index + 1 - burst) * 250, true, `start ${index + 1} at ${at - from} ms`)
})
