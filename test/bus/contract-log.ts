// The contract of the logs: what stands stands, and every follower sees all of it, in one order, each entry once.

import type { Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import type { LogEntry } from '../../src/bus/types.ts'
import { iterate, never, read, take, text, type OpenBroker } from './contract.ts'

const shown = (entries: (LogEntry | null)[]): (string | null)[] => entries.map(entry => entry === null ? null : `${entry.key}=${read(entry.bytes)}`)

export function logContract (t: Test, open: OpenBroker): void {
  t.test('an entry is written once, and makes room when it is removed', async t => {
    const { log: { records, samples } } = await (await open(t)).connect()
    t.equal(await records.get('r.one'), null)
    t.equal(await records.create('r.one', text('1')), 'created')
    t.equal(await records.create('r.one', text('2')), 'present')
    t.equal(read(await records.get('r.one')), '1')
    t.equal(await samples.get('r.one'), null, 'logs are apart')
    await records.remove('r.one')
    await records.remove('r.never')
    t.equal(await records.get('r.one'), null)
    t.equal(await records.create('r.one', text('3')), 'created')
    t.equal(read(await records.get('r.one')), '3')
    const [third] = await take(iterate(records.follow('r', never())), 1)
    for (const other of [third!.sequence - 1, third!.sequence + 1]) await records.remove('r.one', other)
    t.equal(read(await records.get('r.one')), '3', 'another entry than the one that is named stays')
    await records.remove('r.one', third!.sequence)
    t.equal(await records.get('r.one'), null)
    await records.remove('r.one', third!.sequence)
    t.equal(await records.create('r.empty', text('')), 'created')
    t.equal(read(await records.get('r.empty')), '')
  })

  t.test('what was given is kept as it was given', async t => {
    const { log: { records } } = await (await open(t)).connect()
    const bytes = Buffer.from('before')
    await records.create('r.one', bytes)
    bytes.write('after!')
    t.equal(read(await records.get('r.one')), 'before')
  })

  t.test('of 20 who write the same entry at once one is first', async t => {
    const broker = await open(t)
    const buses = await Promise.all([broker.connect(), broker.connect()])
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => buses[index % 2]!.log.records.create('r.one', text(`${index}`))))
    t.equal(answers.filter(answer => answer === 'created').length, 1)
    t.equal(read(await buses[1]!.log.records.get('r.one')), `${answers.indexOf('created')}`)
  })

  t.test('a follower sees what is there, then once that it has, then what comes, in order', async t => {
    const broker = await open(t)
    const [bus, other] = [await broker.connect(), await broker.connect()]
    const { records } = bus.log
    for (let index = 0; index < 300; index++) await records.create(`r.${index}`, text(`${index}`))
    const over = new AbortController()
    const entries = iterate(records.follow('', over.signal))
    const late = iterate(other.log.records.follow('r', over.signal))
    const [there, first] = await Promise.all([take(entries, 301), take(late, 301)])
    t.same(shown(first), shown(there), 'the other follower sees the same')
    t.same(shown(there), [...Array.from({ length: 300 }, (_, index) => `r.${index}=${index}`), null])
    const sequences = there.filter(entry => entry !== null).map(({ sequence }) => sequence)
    t.ok(sequences.every((sequence, index) => index === 0 || sequence > sequences[index - 1]!), 'sequences grow')
    await other.log.records.create('r.new', text('a'))
    await records.create('r.newer', text('b'))
    t.same(shown(await take(entries, 2)), ['r.new=a', 'r.newer=b'])
    t.same(shown(await take(late, 2)), ['r.new=a', 'r.newer=b'])
    over.abort()
    t.same(await entries.next(), { value: undefined, done: true })
    t.same(await late.next(), { value: undefined, done: true })
  })

  t.test('a follower of an empty log is told at once that there is nothing', async t => {
    const { log: { records } } = await (await open(t)).connect()
    const over = new AbortController()
    const entries = iterate(records.follow('r', over.signal))
    t.same(shown(await take(entries, 1)), [null])
    const waiting = take(entries, 1)
    await records.create('s.one', text(''))
    await records.create('r.one', text('1'))
    t.same(shown(await waiting), ['r.one=1'])
    const ending = entries.next()
    over.abort()
    t.same(await ending, { value: undefined, done: true }, 'also while it waits')
  })

  t.test('a follower is told where it stands when the last entries are gone', async t => {
    const { log: { records } } = await (await open(t)).connect()
    for (const key of ['a', 'b', 'c', 'd']) await records.create(`r.${key}`, text(key))
    for (const key of ['c', 'd']) await records.remove(`r.${key}`)
    const entries = iterate(records.follow('r', never()))
    t.same(shown(await take(entries, 3)), ['r.a=a', 'r.b=b', null])
    await entries.return!()
    for (const key of ['a', 'b']) await records.remove(`r.${key}`)
    const none = iterate(records.follow('r', never()))
    t.same(shown(await take(none, 1)), [null])
    await none.return!()
  })

  t.test('an entry that is written again comes again', async t => {
    const { log: { records } } = await (await open(t)).connect()
    const entries = iterate(records.follow('r', never()))
    await take(entries, 1)
    await records.create('r.a', text('1'))
    await take(entries, 1)
    await records.remove('r.a')
    await records.create('r.a', text('2'))
    t.same(shown(await take(entries, 1)), ['r.a=2'])
    await entries.return!()
  })

  t.test('a prefix is taken by its tokens', async t => {
    const { log: { records } } = await (await open(t)).connect()
    for (const key of ['a', 'a.b', 'a.bc', 'a.bc.d', 'a.b.c', 'a.b.c.d', 'ab']) await records.create(key, text(''))
    const keys = async (prefix: string): Promise<string[]> => {
      const found: string[] = []
      for await (const entry of records.follow(prefix, never())) {
        if (entry === null) break
        found.push(entry.key)
      }
      return found
    }
    t.same(await keys('a.b'), ['a.b.c', 'a.b.c.d'])
    t.same(await keys('a'), ['a.b', 'a.bc', 'a.bc.d', 'a.b.c', 'a.b.c.d'])
    t.same(await keys(''), ['a', 'a.b', 'a.bc', 'a.bc.d', 'a.b.c', 'a.b.c.d', 'ab'])
  })

  t.test('a follower may leave out what it knows', async t => {
    const { log: { records } } = await (await open(t)).connect()
    for (const key of ['a', 'b', 'c']) await records.create(`r.${key}`, text(key))
    const [, second] = await take(iterate(records.follow('r', never())), 2)
    const rest = iterate(records.follow('r', never(), second!.sequence))
    t.same(shown(await take(rest, 2)), ['r.c=c', null])
    await records.create('r.d', text('d'))
    t.same(shown(await take(rest, 1)), ['r.d=d'])
    await rest.return!()
    const none = iterate(records.follow('r', never(), 1_000_000))
    t.same(shown(await take(none, 1)), [null])
    await none.return!()
  })

  t.test('a reader that keeps its place is known by what it acknowledged, and followers are none', async t => {
    const broker = await open(t)
    const { samples, records } = (await broker.connect()).log
    const following = iterate(samples.follow('', never()))
    await take(following, 1)
    t.equal(await samples.place('trainer'), null)
    t.same(await samples.places(), [])
    for (const key of ['r.a', 's.a', 'r.b', 'r.c', 's.b']) await samples.create(key, text(key))
    const sequenceOf = new Map((await take(following, 5)).map(entry => [entry!.key, entry!.sequence]))
    const place = { prefix: 'r', held: 0, waiting: 0 }
    const reader = await broker.attach('samples', 'trainer', 'r')
    t.same(await samples.place('trainer'), { ...place, reader: 'trainer', acknowledged: 0, delivered: 0, waiting: 3 })
    t.equal(await records.place('trainer'), null, 'logs are apart')
    const [a, b] = await reader.take(2)
    t.same(shown([a!, b!]), ['r.a=r.a', 'r.b=r.b'])
    t.same(await samples.place('trainer'), { ...place, reader: 'trainer', acknowledged: 0, delivered: sequenceOf.get('r.b'), held: 2, waiting: 1 })
    await reader.acknowledge(b!)
    t.match(await samples.place('trainer'), { acknowledged: 0, held: 1 }, 'what comes before it is not acknowledged')
    await reader.acknowledge(a!)
    t.match(await samples.place('trainer'), { acknowledged: sequenceOf.get('r.b'), held: 0, waiting: 1 })
    await broker.attach('samples', 'all', '')
    t.match(await samples.places(), [{ reader: 'all', prefix: '', waiting: 5 }, { reader: 'trainer', prefix: 'r', waiting: 1 }])
    t.same(shown(await (await broker.attach('samples', 'trainer', 'r')).take(9)), ['r.c=r.c'], 'it goes on where it was')
    await t.rejects(samples.place('a b'), { code: 'BUS_BAD_KEY' })
    await following.return!()
  })

  t.test('what is removed takes nothing else from a reader that was not given it yet', async t => {
    const broker = await open(t)
    const { samples } = (await broker.connect()).log
    for (const key of ['r.a', 'r.b', 'r.c', 'r.d']) await samples.create(key, text(key))
    const reader = await broker.attach('samples', 'trainer', '')
    t.same(shown(await reader.take(1)), ['r.a=r.a'])
    await samples.remove('r.a')
    await samples.remove('r.c')
    await samples.remove('r.never')
    t.same(shown(await reader.take(9)), ['r.b=r.b', 'r.d=r.d'])
  })

  t.test('a follower that is slow loses nothing', async t => {
    const { log: { samples } } = await (await open(t)).connect()
    const entries = iterate(samples.follow('', never()))
    await take(entries, 1)
    for (let batch = 0; batch < 15; batch++) await Promise.all(Array.from({ length: 100 }, (_, index) => samples.create(`r.${batch}.${index}`, text(''))))
    await systemClock.sleep(50)
    const seen = (await take(entries, 1_500)).map(entry => entry!.key)
    t.equal(new Set(seen).size, 1_500)
    await entries.return!()
  })

  t.test('a follower that was given up before it began sees nothing', async t => {
    const { log: { records } } = await (await open(t)).connect()
    await records.create('r.a', text(''))
    t.same(await iterate(records.follow('', AbortSignal.abort())).next(), { value: undefined, done: true })
  })

  t.test('entries up to the limit pass, larger ones and bad keys are refused', async t => {
    const { log: { records }, valueBytesMax } = await (await open(t)).connect()
    const largest = new Uint8Array(valueBytesMax).fill(7)
    t.equal(await records.create('r.large', largest), 'created')
    t.equal(Buffer.compare((await records.get('r.large'))!, largest), 0)
    const [entry] = await take(iterate(records.follow('r', never())), 1)
    t.equal(entry!.bytes.length, valueBytesMax)
    await t.rejects(records.create('r.larger', new Uint8Array(valueBytesMax + 1)), { code: 'BUS_TOO_LARGE' })
    for (const bad of ['', 'a b', 'a.*', 'a.>', 'a..b', '.a', 'a.']) {
      await t.rejects(records.create(bad, text('')), { code: 'BUS_BAD_KEY' }, `create "${bad}"`)
      await t.rejects(records.get(bad), { code: 'BUS_BAD_KEY' }, `get "${bad}"`)
      await t.rejects(records.remove(bad), { code: 'BUS_BAD_KEY' }, `remove "${bad}"`)
      if (bad !== '') await t.rejects(async () => await iterate(records.follow(bad, never())).next(), { code: 'BUS_BAD_KEY' }, `follow "${bad}"`)
    }
  })
}
