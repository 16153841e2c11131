import t from 'tap'
import type { Workplace } from '../../actors/work/types.ts'
import { createMemoryQueue, type QueueEvent } from '../../src/bus/memory-queue.ts'
import type { Work } from '../../src/bus/work.ts'
import { systemClock } from '../../src/clock.ts'
import { SparError } from '../../src/errors.ts'
import { createRegistry } from '../../src/inspect/registry.ts'
import { runDefaults } from '../../src/run/options.ts'
import { breakUntilCancelled, cancelByHand } from '../helpers/cancelled-by-hand.ts'
import { standInArena } from '../helpers/cluster-fixture.ts'

const work = (id: string, priority = 0): Work => ({ id, kind: 'solve', priority, payload: null })
const lost = (): SparError => new SparError('SANDBOX_LOST', 'the sandbox is gone', { retryable: true })
const queueOf = (slots: number, events: QueueEvent[] = [], more = {}) =>
  createMemoryQueue({ slots, clock: systemClock, redeliverMs: 1, onEvent: event => events.push(event), ...more })

t.test('work is delivered by priority, then in the order it was added, in as many slots as there are', async t => {
  const queue = queueOf(1)
  const order: string[] = []
  const endings = [work('a'), work('b', 2), work('c', 2), work('d', 1)].map(item => queue.add(item))
  queue.handle('solve', async ({ work }) => { order.push(work.id) })
  await Promise.all(endings)
  t.strictSame(order, ['b', 'c', 'd', 'a'])
})

t.test('the same id is one piece of work, however often it is added', async t => {
  const queue = queueOf(2)
  let runs = 0
  queue.handle('solve', async () => ++runs)
  const [one, two] = await Promise.all([queue.add(work('a')), queue.add(work('a'))])
  t.strictSame([one, two, runs], [{ kind: 'settled', result: 1, deliveries: 1 }, { kind: 'settled', result: 1, deliveries: 1 }, 1])
})

t.test('an infrastructure fault is delivered again, and quarantined in the end, never settled', async t => {
  const events: QueueEvent[] = []
  const queue = queueOf(1, events, { deliveriesMax: 3 })
  queue.handle('solve', async ({ work, delivery }) => {
    if (work.id === 'poison' || delivery < 2) throw lost()
    return 'fine'
  })
  t.match(await queue.add(work('once')), { kind: 'settled', result: 'fine', deliveries: 2 })
  t.match(await queue.add(work('poison')), { kind: 'quarantined', code: 'SANDBOX_LOST', deliveries: 3 })
  t.equal(events.filter(event => event.type === 'redelivered').length, 3)
})

t.test('cancelled work ends, whether it waits or runs', async t => {
  const queue = queueOf(1)
  let aborted = false
  const running = queue.add(work('running'))
  const waiting = queue.add(work('waiting'))
  const started = new Promise<void>(resolve => {
    queue.handle('solve', ({ signal }) => new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => { aborted = true; reject(lost()) })
      resolve()
    }))
  })
  await started
  queue.cancel('waiting', 'enough')
  queue.cancel('running', 'enough')
  t.match(await waiting, { kind: 'cancelled', reason: 'enough', deliveries: 0 })
  t.match(await running, { kind: 'cancelled', deliveries: 1 })
  t.ok(aborted)
})

t.test('a rollout that was cancelled by hand ends cancelled, and is not delivered again; one that the queue gave up has no ending of its own', async t => {
  const events: QueueEvent[] = []
  const queue = queueOf(2, events)
  const registry = createRegistry({ node: 'local', clock: systemClock })
  const place = { options: { ...runDefaults, target: 'one' }, arena: standInArena('one'), store: { run: 'r' }, ports: { registry } } as unknown as Workplace
  queue.handle('break', delivery => breakUntilCancelled(place, delivery) as Promise<never>)
  const breaking = (id: string) => queue.add({ id, kind: 'break', priority: 1, payload: { number: 1 } })
  const [byHand] = [breaking('e0001.break'), breaking('e0002.break')]
  await cancelByHand(registry, 'r', 'e0001.break')
  t.match(await byHand, { kind: 'cancelled', reason: 'cancelled by hand', deliveries: 1 })
  await queue.drain(0)
  t.same(events.filter(({ type }) => type === 'ended' || type === 'redelivered').map(({ type, work }) => `${type} ${work.id}`), ['ended e0001.break'])
})

t.test('a full queue refuses', async t => {
  const queue = queueOf(1, [], { workMax: 1 })
  queue.add(work('a')).catch(() => {})
  await t.rejects(queue.add(work('b')), { code: 'QUEUE_FULL', retryable: true })
})

t.test('drain lets what is in flight finish within its grace, and aborts it after', async t => {
  const queue = queueOf(1)
  let aborted = false
  const started = new Promise<void>(resolve => {
    queue.handle('solve', ({ signal }) => new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => { aborted = true; reject(lost()) })
      resolve()
    }))
  })
  void queue.add(work('slow'))
  await started
  await queue.drain(5)
  t.ok(aborted)
})

t.test('what fails while the queue drains is neither issued again nor given up', async t => {
  const events: QueueEvent[] = []
  const queue = queueOf(1, events, { deliveriesMax: 1 })
  void queue.add(work('a'))
  await new Promise<void>(resolve => {
    queue.handle('solve', async () => {
      void queue.drain(5).then(resolve)
      throw lost()
    })
  })
  t.strictSame(events.map(event => event.type), ['dispatched', 'started'])
})
