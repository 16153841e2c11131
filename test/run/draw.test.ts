import fc from 'fast-check'
import t from 'tap'
import { strategies } from '../../src/domain.ts'
import { drawEpisode, roundOf, roundSizeOf } from '../../src/run/draw.ts'
import { parseRange, parseShare, parseStrategy, parseWhole, runDefaults, untilStopped, type RunOptions } from '../../src/run/options.ts'

const options: RunOptions = { target: 'x', ...runDefaults }

t.test('an episode is drawn from seed and number alone, within the ranges', async t => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: 1, max: 5000 }), (seed, number) => {
    const draw = drawEpisode({ ...options, seed }, number)
    t.strictSame(draw, drawEpisode({ ...options, seed }, number))
    return draw.params.minFiles >= 1 && draw.params.minFiles <= 3 && strategies.includes(draw.strategy)
  }), { numRuns: 200 })
})

t.test('strategies come in the shares of their weights, also in a short run', async t => {
  const drawn = (weights: RunOptions['strategy'], count: number, seed = 1): Record<string, number> => {
    const counts: Record<string, number> = { removal: 0, history: 0, direct: 0 }
    for (let number = 1; number <= count; number++) counts[drawEpisode({ ...options, seed, strategy: weights }, number).strategy]!++
    return counts
  }
  for (let seed = 0; seed < 20; seed++) t.strictSame(drawn({ removal: 1, history: 1, direct: 0 }, 6, seed), { removal: 3, history: 3, direct: 0 })
  const { direct, removal } = drawn({ removal: 3, history: 0, direct: 1 }, 4000) as { direct: number; removal: number }
  t.ok(Math.abs(direct / 4000 - 0.25) < 0.03 && removal + direct === 4000, `${direct} of 4000 are direct`)
})

t.test('a round holds as many episodes of one strategy as a group has members, in whatever order one asks', async t => {
  const few = { ...options, group: 2, strategy: { removal: 2, history: 1, direct: 0 } }
  const numbers = Array.from({ length: 40 }, (_, index) => index + 1)
  const rounds = numbers.map(number => roundOf(few, number))
  t.strictSame([...numbers].reverse().map(number => roundOf({ ...few }, number)).reverse(), rounds)
  for (const strategy of ['removal', 'history'] as const) {
    const named = rounds.filter((_, index) => drawEpisode(few, index + 1).strategy === strategy)
    t.strictSame(named, named.map((_, index) => `${strategy}.${Math.floor(index / 2) + 1}`))
  }
})

t.test('the size of a round is that of the whole run, also of the last one, whoever asks first', async t => {
  for (const episodes of [1, 7, 16, 23]) {
    const run = { ...options, episodes, arenas: 2, group: 3, strategy: { removal: 2, history: 1, direct: 0 } }
    const rounds = Array.from({ length: episodes }, (_, index) => roundOf({ ...run }, index + 1))
    const sizes = rounds.map((_, index) => roundSizeOf({ ...run }, index + 1))
    t.strictSame(sizes, rounds.map(round => rounds.filter(other => other === round).length))
    t.strictSame(rounds.map((_, index) => roundSizeOf(run, index + 1)), sizes)
  }
  t.equal(roundSizeOf({ ...options, episodes: untilStopped, strategy: { removal: 1, history: 1e-12, direct: 0 } }, 1), 8, 'what is never over is full')
})

t.test('episodes take several arenas in turn, and a round stays within its arena', async t => {
  const several = { ...options, arenas: 3, group: 2, strategy: { removal: 1, history: 1, direct: 0 } }
  const numbers = Array.from({ length: 24 }, (_, index) => index + 1)
  t.strictSame(numbers.slice(0, 6).map(number => drawEpisode(several, number).arena), [0, 1, 2, 0, 1, 2])
  for (let arena = 0; arena < 3; arena++) {
    const own = numbers.filter(number => drawEpisode(several, number).arena === arena)
    t.equal(own.filter(number => drawEpisode(several, number).strategy === 'removal').length, 4, 'half of each arena')
    t.strictSame([...new Set(own.map(number => roundOf(several, number)))].sort(), ['history.1', 'history.2', 'removal.1', 'removal.2'].map(name => `a${arena}.${name}`))
  }
})

t.test('options are refused by name, value and rule', async t => {
  t.throws(() => parseWhole('episodes', '1.5', 1), { code: 'OPTION_INVALID', message: /--episodes "1.5": it takes a whole number/ })
  t.throws(() => parseWhole('group', '0', 1), { code: 'OPTION_INVALID' })
  t.throws(() => parseShare('alpha', '1.2'), { code: 'OPTION_INVALID' })
  t.throws(() => parseRange('min-files', '3..1'), { code: 'OPTION_INVALID' })
  t.throws(() => parseStrategy('strategy', 'remove=1'), { message: /"remove" is none of removal, history, direct/ })
  t.throws(() => parseStrategy('strategy', 'removal=0'), { code: 'OPTION_INVALID' })
  t.strictSame(parseRange('min-files', '2'), { min: 2, max: 2 })
  t.strictSame(parseStrategy('strategy', 'removal, direct=0.5'), { removal: 1, history: 0, direct: 0.5 })
})
