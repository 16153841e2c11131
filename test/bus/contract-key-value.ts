// The contract of the buckets: the latest value of each key, written over what the writer has seen, or not at all.

import type { Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import type { KeyEntry } from '../../src/bus/types.ts'
import { iterate, never, read, take, text, type OpenBroker } from './contract.ts'

const shown = (entries: (KeyEntry | null)[]): (string | null)[] => entries.map(entry => entry === null ? null : `${entry.key}=${read(entry.bytes) ?? 'gone'}`)

export function keyValueContract (t: Test, open: OpenBroker): void {
  t.test('a value is put, read, written over its revision, removed and written anew', async t => {
    const { kv: { runs, episodes } } = await (await open(t)).connect()
    t.equal(await runs.get('a.b'), null)
    const first = await runs.put('a.b', text('1'))
    const second = await runs.put('a.b', text('2'))
    t.ok(second > first, 'revisions grow')
    const kept = await runs.get('a.b')
    t.same([read(kept!.bytes), kept!.revision], ['2', second])
    t.equal(await episodes.get('a.b'), null, 'buckets are apart')
    const third = await runs.update('a.b', text('3'), second)
    t.ok(third > second)
    await t.rejects(runs.update('a.b', text('4'), second), { code: 'BUS_CONFLICT', retryable: false })
    await t.rejects(runs.update('a.b', text('4'), 0), { code: 'BUS_CONFLICT' })
    await t.rejects(runs.update('never', text('4'), third), { code: 'BUS_CONFLICT' })
    t.equal(read((await runs.get('a.b'))!.bytes), '3')
    await runs.remove('a.b')
    await runs.remove('a.b')
    await runs.remove('never')
    t.equal(await runs.get('a.b'), null)
    await t.rejects(runs.update('a.b', text('4'), third), { code: 'BUS_CONFLICT' }, 'its revision is gone with it')
    const anew = await runs.update('a.b', text('5'), 0)
    t.ok(anew > third)
    t.same(read((await runs.get('a.b'))!.bytes), '5')
    await runs.put('empty', text(''))
    t.equal(read((await runs.get('empty'))!.bytes), '', 'an empty value is a value')
  })

  t.test('of 20 who write over the same revision one is first, also where nothing was', async t => {
    const broker = await open(t)
    const buses = await Promise.all([broker.connect(), broker.connect()])
    const race = async (revision: number): Promise<number> => {
      const answers = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => buses[index % 2]!.kv.runs.update('a', text(`${index}`), revision)))
      const won = answers.filter(({ status }) => status === 'fulfilled')
      t.equal(won.length, 1)
      t.ok(answers.every(answer => answer.status === 'fulfilled' || (answer.reason as { code: string }).code === 'BUS_CONFLICT'))
      t.equal(read((await buses[0]!.kv.runs.get('a'))!.bytes), `${answers.indexOf(won[0]!)}`)
      return (won[0] as PromiseFulfilledResult<number>).value
    }
    await race(await race(0))
    await buses[0]!.kv.runs.remove('a')
    await race(0)
  })

  t.test('a watcher sees the latest values, then once that it has, then writes and removals', async t => {
    const broker = await open(t)
    const [bus, other] = [await broker.connect(), await broker.connect()]
    const { runs } = bus.kv
    for (const [key, value] of [['a', '1'], ['b', '1'], ['a', '2'], ['c', '1']] as const) await runs.put(key, text(value))
    await runs.remove('c')
    const over = new AbortController()
    const entries = iterate(runs.watch('', over.signal))
    const there = await take(entries, 3)
    t.same(shown(there), ['b=1', 'a=2', null], 'what is gone is not told')
    t.equal(there[1]!.revision, (await runs.get('a'))!.revision)
    await other.kv.runs.put('d', text('1'))
    t.same(shown(await take(entries, 1)), ['d=1'])
    await other.kv.runs.remove('a')
    t.same(shown(await take(entries, 1)), ['a=gone'])
    await other.kv.runs.put('a', text('3'))
    t.same(shown(await take(entries, 1)), ['a=3'])
    const ending = entries.next()
    over.abort()
    t.same(await ending, { value: undefined, done: true })
  })

  t.test('a watcher of an empty bucket is told at once that there is nothing', async t => {
    const { kv: { policies } } = await (await open(t)).connect()
    const entries = iterate(policies.watch('', never()))
    t.same(shown(await take(entries, 1)), [null])
    await entries.return!()
    await policies.put('a', text(''))
    await policies.remove('a')
    const none = iterate(policies.watch('', never()))
    t.same(shown(await take(none, 1)), [null], 'nor where everything was removed')
    await none.return!()
  })

  t.test('a watcher of a prefix sees it and what goes on from it', async t => {
    const { kv: { runs } } = await (await open(t)).connect()
    for (const key of ['r', 'r.a', 'ra', 'r.a.b', 's']) await runs.put(key, text('1'))
    const entries = iterate(runs.watch('r', never()))
    t.same(shown(await take(entries, 4)), ['r=1', 'r.a=1', 'r.a.b=1', null])
    for (const key of ['rb', 's', 'r']) await runs.put(key, text('2'))
    t.same(shown(await take(entries, 1)), ['r=2'])
    await entries.return!()
    t.same(await iterate(runs.watch('r', AbortSignal.abort())).next(), { value: undefined, done: true })
  })

  t.test('who is there fades when nobody renews it', async t => {
    const { kv: { nodes, runs } } = await (await open(t, { nodeTtlMs: 1_000 })).connect()
    await nodes.put('gone', text(''))
    await runs.put('stays', text(''))
    const at = performance.now()
    while (await nodes.get('gone') !== null && performance.now() - at < 15_000) {
      await nodes.put('here', text(''))
      await systemClock.sleep(100)
    }
    t.equal(await nodes.get('gone'), null)
    t.ok(performance.now() - at >= 900, 'not before its time')
    t.not(await nodes.get('here'), null)
    t.not(await runs.get('stays'), null)
    const entries = iterate(nodes.watch('', never()))
    t.same(shown(await take(entries, 2)), ['here=', null])
    await entries.return!()
    t.ok(await nodes.update('gone', text(''), 0) > 0, 'there is room for it again')
  })

  t.test('values up to the limit pass, larger ones and bad keys are refused', async t => {
    const { kv: { runs }, valueBytesMax } = await (await open(t)).connect()
    const largest = new Uint8Array(valueBytesMax).fill(7)
    const revision = await runs.put('large', largest)
    t.equal(Buffer.compare((await runs.get('large'))!.bytes, largest), 0)
    await t.rejects(runs.put('larger', new Uint8Array(valueBytesMax + 1)), { code: 'BUS_TOO_LARGE' })
    await t.rejects(runs.update('large', new Uint8Array(valueBytesMax + 1), revision), { code: 'BUS_TOO_LARGE' })
    for (const bad of ['', 'a b', 'a.*', '>', 'a..b', '.a', 'a.']) {
      await t.rejects(runs.put(bad, text('')), { code: 'BUS_BAD_KEY' }, `put "${bad}"`)
      await t.rejects(runs.update(bad, text(''), 0), { code: 'BUS_BAD_KEY' }, `update "${bad}"`)
      await t.rejects(runs.get(bad), { code: 'BUS_BAD_KEY' }, `get "${bad}"`)
      await t.rejects(runs.remove(bad), { code: 'BUS_BAD_KEY' }, `remove "${bad}"`)
      if (bad !== '') await t.rejects(async () => await iterate(runs.watch(bad, never())).next(), { code: 'BUS_BAD_KEY' }, `watch "${bad}"`)
    }
  })
}
