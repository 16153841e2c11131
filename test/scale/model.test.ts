import t from 'tap'
import { createRandom } from '../../src/random.ts'
import { createAgenda } from '../../src/scale/agenda.ts'
import { readFigures, type FigureName, type Policy } from '../../src/scale/figures.ts'
import { fullFirst } from '../../src/scale/full-first.ts'
import { createSpread } from '../../src/scale/meters.ts'
import { model, type Modelled } from '../../src/scale/model.ts'
import { createStation, shareMeters } from '../../src/scale/station.ts'

const turns: Policy = { order: 'turns', release: 'episode' }
/** A deployment of 16 GPUs in which nothing is full. */
const small: Partial<Record<FigureName, number>> = { nodes: 4, gpus: 16, inFlight: 20, trainTokens: 600_000, trainSeconds: 20, steps: 30, warmSteps: 10 }
const play = (given: Partial<Record<FigureName, number>> = {}, policy = turns): Modelled => model(readFigures({ ...small, ...given }), policy)

t.test('a station waits as Erlang says', async t => {
  const agenda = createAgenda()
  const random = createRandom(7)
  const meters = shareMeters(agenda.now)
  const [servers, load] = [4, 3.2]
  const station = createStation(servers, meters)
  const exponential = (mean: number): number => -mean * Math.log(1 - random.next())
  let came = 0
  const arrive = (): void => {
    came++
    station.enter(leave => agenda.in(exponential(1), leave))
    agenda.in(exponential(1 / load), arrive)
  }
  arrive()
  agenda.run(() => came >= 400_000)
  const terms = Array.from({ length: servers }, (_, k) => load ** k / factorial(k))
  const last = load ** servers / factorial(servers) * servers / (servers - load)
  const expected = last / (terms.reduce((sum, term) => sum + term, 0) + last) / (servers - load)
  t.ok(Math.abs(meters.waits.mean() / expected - 1) < 0.05, `${meters.waits.mean()} s, Erlang C gives ${expected}`)
  t.ok(Math.abs(meters.busy.mean() / load - 1) < 0.02)
})

function factorial (n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1)
}

t.test('what is in the slots is what comes by the second times how long it stays', async t => {
  const { seconds, used, took } = play({ steps: 100 })
  const came = (took.breaker.count * took.breaker.mean + took.solver.count * took.solver.mean) / seconds
  const inSlots = used.runSlots * 4 * 64
  t.ok(Math.abs(inSlots / came - 1) < 0.03, `${inSlots} slots are busy, Little gives ${came}`)
})

t.test('the same seed says the same', async t => {
  t.same(play(), play())
  t.notSame(play(), play({ seed: 2 }))
})

t.test('each thing can be what is full first', async t => {
  const cases: [string, Partial<Record<FigureName, number>>][] = [
    ['trainer', { trainSeconds: 2_000 }],
    ['cores', { cores: 1, verifySlots: 20, gradeSlots: 20, suiteSeconds: 1 }],
    ['run slots', { runSlots: 2, inFlight: 200 }],
    ['verify slots', { verifySlots: 1, nodes: 1, verifyRuns: 10, suiteSeconds: 100, valid: 0.02 }],
    ['grade slots', { gradeSlots: 1, nodes: 2, suiteSeconds: 100 }],
    ['GPUs that sample', { gpus: 8, inFlight: 100 }],
    ['episodes in flight', { inFlight: 2 }],
    ['bus', { busWritesPerSecond: 2 }]
  ]
  for (const [what, given] of cases) {
    const modelled = play({ aheadSteps: 1000, ...given })
    t.equal(fullFirst(modelled), what, JSON.stringify(modelled.used))
  }
  t.equal(fullFirst(play({ trainSeconds: 25, aheadSteps: 0.1 })), 'nothing')
})

t.test('limits of age', async t => {
  const none = play({ solverAge: 1e6, breakerAge: 1e6 })
  t.same([none.taken.solver.stale, none.taken.breaker.stale], [0, 0])
  const strict = play({ solverAge: 0, breakerAge: 0 })
  t.equal(strict.taken.breaker.trained, 0, 'nothing is as young as that')
})

t.test('it holds the samples of a group back until its episode is over, or not', async t => {
  const byEpisode = play({ solverAge: 1e6, breakerAge: 1e6, secondOrder: 1 })
  const byGroup = play({ solverAge: 1e6, breakerAge: 1e6, secondOrder: 1 }, { order: 'turns', release: 'group' })
  t.ok(byGroup.taken.solver.age.mean < byEpisode.taken.solver.age.mean, `${byGroup.taken.solver.age.mean} steps against ${byEpisode.taken.solver.age.mean}`)
})

t.test('of many values some stay', async t => {
  const spread = createSpread()
  for (let value = 0; value < 1_000_000; value++) spread.add(value)
  t.equal(spread.count(), 1_000_000)
  t.equal(spread.mean(), 499_999.5)
  t.ok(Math.abs(spread.quantile(0.9) - 900_000) < 1_000)
})

t.test('a model that does not end is a defect', async t => {
  const agenda = createAgenda(1_000)
  const again = (): void => agenda.in(0, again)
  again()
  t.throws(() => agenda.run(() => false), { code: 'SCALE_TOO_LONG', message: /1000 calls/ })
})

t.test('figures that cannot be', async t => {
  t.throws(() => readFigures({ nodez: 1 }), { code: 'OPTION_INVALID', message: /nodes/ })
  t.throws(() => readFigures({ nodes: 0 }), { code: 'OPTION_INVALID', message: /from 1/ })
  t.throws(() => readFigures({ solveRate: 'much' }), { code: 'OPTION_INVALID', message: /0 to 1/ })
  t.throws(() => readFigures({ group: 2.5 }), { code: 'OPTION_INVALID', message: /whole number/ })
  t.throws(() => readFigures({ cores: '' }), { code: 'OPTION_INVALID' })
  t.equal(readFigures({ cores: '32' }).cores, 32)
})
