import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { createLimiter } from '../../src/limiter.ts'
import { createCleanRunCache, type TreeRun } from '../../src/verify/index.ts'

const gate = (): { promise: Promise<void>; open: () => void } => {
  let open!: () => void
  return { promise: new Promise(resolve => { open = resolve }), open }
}

t.test('a limiter runs first come, first served, never more than its slots', async t => {
  const cores = createLimiter(2)
  const order: number[] = []
  const gates = [0, 1, 2, 3].map(gate)
  const tasks = gates.map(({ promise }, index) => cores.run(async () => {
    order.push(index)
    await promise
  }))
  await turn()
  t.strictSame([order, cores.active, cores.waiting], [[0, 1], 2, 2])
  gates[1]!.open()
  await tasks[1]
  await turn()
  t.strictSame(order, [0, 1, 2])
  for (const { open } of gates) open()
  await Promise.all(tasks)
  t.strictSame([order, cores.active, cores.waiting], [[0, 1, 2, 3], 0, 0])
})

t.test('a waiter that is aborted never starts, and a task that throws gives its slot back', async t => {
  const cores = createLimiter(1)
  const { promise, open } = gate()
  const first = cores.run(async () => await promise)
  const abort = new AbortController()
  const second = cores.run(async () => t.fail('must not start'), abort.signal)
  abort.abort()
  await t.rejects(second, { code: 'ABORTED', retryable: true })
  open()
  await first
  await t.rejects(cores.run(async () => { throw new Error('no') }), /no/)
  t.equal(await cores.run(async () => 1), 1)
})

const run = { results: { a: 'passed' } } as unknown as TreeRun

t.test('a clean run is made once, however many wait for it', async t => {
  const cache = createCleanRunCache()
  const { promise, open } = gate()
  let starts = 0
  const start = async (): Promise<TreeRun> => {
    starts++
    await promise
    return run
  }
  const both = [cache.get('k', start), cache.get('k', start)]
  open()
  t.strictSame(await Promise.all([...both, cache.get('k', start)]), [run, run, run])
  t.equal(starts, 1)
})

t.test('a clean run in flight outlives one waiter, but not the last; a fault of ours is not kept', async t => {
  const cache = createCleanRunCache()
  const [a, b] = [new AbortController(), new AbortController()]
  let ended = false
  const start = async (signal: AbortSignal): Promise<TreeRun> => await new Promise((resolve, reject) => signal.addEventListener('abort', () => {
    ended = true
    reject(new Error('ended'))
  }))
  const waiters = [cache.get('k', start, a.signal), cache.get('k', start, b.signal)]
  a.abort()
  await t.rejects(waiters[0]!, { code: 'ABORTED' })
  t.notOk(ended)
  b.abort()
  await t.rejects(waiters[1]!, { code: 'ABORTED' })
  t.ok(ended)
  await t.rejects(cache.get('k', async () => { throw new Error('lost') }), /lost/)
  t.equal(await cache.get('k', async () => run), run)
})

t.test('the cache keeps the runs that were used last', async t => {
  const cache = createCleanRunCache(2)
  for (const key of ['a', 'b', 'a', 'c']) await cache.get(key, async () => run)
  let made = ''
  for (const key of ['a', 'c', 'b']) await cache.get(key, async () => { made += key; return run })
  t.equal(made, 'b')
})
