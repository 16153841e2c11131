// Goal: the registry and its samplers hold their limits, and what they tell adds up to what is there. Method: actors that are plain
// objects, a clock that stands, and a copy that is kept by changes alone.

import t from 'tap'
import { inspectLimits } from '../../src/inspect/limits.ts'
import type { ActorRow } from '../../src/inspect/protocol.ts'
import { createRegistry, type About, type Look, type Registry } from '../../src/inspect/registry.ts'
import { rowOf } from '../../src/inspect/rows.ts'
import { sampleActors } from '../../src/inspect/sampler.ts'

const clock = { at: 0, now () { return this.at } }
const look: Look = { state: snapshot => String(snapshot), tags: () => [], context: snapshot => snapshot, children: () => [], acts: () => [], now: subject => (subject as { now: unknown }).now, follow: (subject, take) => { (subject as { take?: typeof take }).take = take; return () => {} }, hear: () => () => {}, send () {} }
const about = (name: string): About => ({ name, within: '', machine: 'm', id: name, run: null, episode: null, rollout: null, work: null })
const enter = (registry: Registry, name: string) => registry.enter(about(name), look, null)

t.test('above the limit of live actors nobody is added, and that is told', async t => {
  const registry = createRegistry({ node: 'n', clock, limits: { liveMax: 2 } })
  const known = ['a', 'b', 'c'].map(name => enter(registry, name))
  t.equal(known[2]!.key, null)
  known[2]!.seen('x')
  known[2]!.ended('done')
  t.same([registry.live, registry.size, registry.leftOut], [2, 2, 1])
  known[0]!.ended('done')
  t.not(enter(registry, 'd').key, null, 'there is room again')
})

t.test('actors that have ended are kept for a time and in a number, and names are counted up to a limit', async t => {
  const registry = createRegistry({ node: 'n', clock, limits: { endedMax: 2, endedMs: 100, namesMax: 2 } })
  clock.at = 0
  for (const name of ['a', 'b', 'c']) enter(registry, name).ended('failed', 'x'.repeat(1_000))
  t.same([...registry.after(0, 10)].map(({ about }) => about.name), ['b', 'c'])
  t.equal(rowOf([...registry.after(0, 10)][0]!).reason.length, 500)
  clock.at = 101
  registry.sweep()
  t.equal(registry.size, 0)
  enter(registry, 'c')
  enter(registry, 'a')
  t.same([...registry.after(0, 10)].map(entry => rowOf(entry).restarts), [1, 0], 'a name that was forgotten begins anew')
})

t.test('what has ended keeps its steps, and nothing of what it worked with', async t => {
  const registry = createRegistry({ node: 'n', clock })
  const known = registry.enter({ ...about('a'), detail: () => 'a transcript' }, look, { now: 'x' })
  known.seen('x')
  const entry = registry.get('n/1')!
  t.match(entry, { about: { detail: Function }, subject: { now: 'x' } })
  known.ended('done')
  t.same([entry.about.detail, entry.subject, entry.about.name, rowOf(entry).state], [undefined, null, 'a', 'x'])
})

t.test('where there are many, actors are asked when somebody looks; a state has been there as long as its steps say', async t => {
  const registry = createRegistry({ node: 'n', clock, limits: { manyActors: 1, stepsMax: 4 } })
  clock.at = 0
  const subject: { now: string; take?: (snapshot: unknown) => void } = { now: 'x' }
  const [one, other] = [enter(registry, 'a'), registry.enter(about('b'), look, subject)]
  t.same([one.isAsked, other.isAsked], [false, true])
  for (const state of ['x', 'y', 'z', 'z2', 'z2']) { clock.at++; one.seen(state); subject.now = state }
  const [few, fewer] = [...registry.after(0, 10)]
  t.same(few!.steps().map(({ snapshot, n }) => [n, snapshot]), [[1, 'x'], [2, 'y'], [3, 'z'], [4, 'z2']], 'the same snapshot is no step')
  t.same(fewer!.steps().map(({ n, snapshot }) => [n, snapshot]), [[1, 'z2']])
  subject.now = 'w'
  t.equal(rowOf(registry.get('n/2')!).state, 'w')
  const leave = fewer!.watch()
  for (const state of ['v1', 'v2']) subject.take!(state)
  t.same(fewer!.steps().map(({ snapshot }) => snapshot), ['w', 'v1', 'v2'], 'from then on nothing is missed')
  leave()
  t.same(few!.steps(3).map(({ n }) => n), [4])
  t.equal(rowOf(few!).sinceAt, 4)
})

t.test('changes add up to what is there, a part at a time, and whoever has waited longest first', async t => {
  const registry = createRegistry({ node: 'n', clock, limits: { endedMax: 0 } })
  const sampler = sampleActors(registry, { ...inspectLimits, rowsPerLookMax: 3 })
  const copy = new Map<string, ActorRow>()
  for (const row of sampler.full().rows) copy.set(row.key, row)
  const known = Array.from({ length: 10 }, (_, index) => enter(registry, `a${index}`))
  for (const actor of known) actor.seen('one')
  const look = (): string[] | null => {
    const change = sampler.next()
    if (change === null) return null
    t.ok(change.rows.length <= 6, 'bounded')
    for (const row of change.rows) copy.set(row.key, row)
    for (const key of change.gone) copy.delete(key)
    return change.rows.map(({ id }) => id)
  }
  const looks = (): void => { while (look() !== null); }
  looks()
  t.equal(copy.size, 10)
  for (const actor of known) actor.seen('two')
  const first = look()!
  for (const actor of known) actor.seen('three')
  const second = look()!
  t.same(first.filter(id => second.includes(id)), [], 'nobody comes twice while others wait')
  known[4]!.ended('done')
  known[5]!.ended('done')
  looks()
  for (const row of sampleActors(registry).full().rows) t.strictSame(copy.get(row.key), row)
  t.equal(copy.size, 8)
})

t.test('more rows than a list holds are left out, and counted', async t => {
  const registry = createRegistry({ node: 'n', clock })
  for (let index = 0; index < 5; index++) enter(registry, `a${index}`)
  const sampler = sampleActors(registry, { ...inspectLimits, actorRowsMax: 3 })
  t.match(sampler.full(), { rows: { length: 3 }, leftOut: 2 })
  t.equal(sampler.next(), null)
})
