// Goal: what a trainer has before it is counted in bytes, by what it acknowledged, and what nobody can use yet is left out. Method:
// samples by hand, on the places that a server tells.

import t from 'tap'
import type { LogPlace } from '../../src/bus/types.ts'
import { createAheadCount, createRounds, type AheadCount } from '../../src/cluster/ahead.ts'
import { pack } from '../../src/cluster/codec.ts'
import { packSample } from '../../src/cluster/samples.ts'
import { roundOf } from '../../src/run/draw.ts'
import { runDefaults, type RunOptions } from '../../src/run/options.ts'
import type { Sample } from '../../src/run/results.ts'

const options: RunOptions = { ...runDefaults, target: 'x', episodes: 4, group: 2, strategy: { removal: 1, history: 0, direct: 0 } }
const at = (place: Partial<LogPlace>): LogPlace => ({ reader: 'trainer', prefix: 'r', acknowledged: 0, delivered: 0, held: 0, waiting: 0, ...place })

function fixture (): { count: AheadCount; rounds: ReturnType<typeof createRounds>; enter (sequence: number, size: number, role?: Sample['role'], episode?: number): number } {
  const rounds = createRounds(options)
  const count = createAheadCount(options, rounds)
  return { count, rounds, enter (sequence, size, role = 'solver', episode = 1) {
    const sample = { role, round_id: roundOf(options, episode), group_size: 2 } as Sample
    const bytes = packSample({ sample, trajectory: { name: 'x', size, inline: null, object: 'o' } })
    count.enter({ key: `r.${sequence}`, sequence, bytes })
    return size + bytes.length
  } }
}

t.test('bytes are those of samples and records, until they are acknowledged', async t => {
  const { count, enter } = fixture()
  const [one, two, three] = [enter(3, 1_000), enter(5, 2_000), enter(9, 4_000)]
  t.equal(count.bytes, one + two + three, 'as they come')
  t.same(count.look([]), { samples: 3, bytes: one + two + three }, 'a trainer that was never there')
  t.same(count.look([at({ delivered: 5, held: 2, waiting: 1 })]), { samples: 3, bytes: one + two + three }, 'to hold is not to have used')
  t.same(count.look([at({ delivered: 5, held: 1, waiting: 1 })]), { samples: 2, bytes: three + Math.round((one + two) / 2) }, 'which of them it holds is not known')
  t.same(count.look([at({ acknowledged: 5, delivered: 5, waiting: 1 })]), { samples: 1, bytes: three })
  t.same(count.look([at({ acknowledged: 5, delivered: 9, held: 7 })]), { samples: 1, bytes: three }, 'it may hold samples of other runs')
  t.same(count.look([at({ acknowledged: 9, delivered: 9 })]), { samples: 0, bytes: 0 })
  t.equal(count.bytes, 0)
})

t.test('a sample of a round that goes on does not count, whether the trainer holds it or not', async t => {
  const { count, rounds, enter } = fixture()
  const [first, attempt] = [enter(1, 1_000, 'breaker', 1), enter(2, 500)]
  rounds.settle('e0001')
  t.same(count.look([]), { samples: 1, bytes: attempt })
  t.same(count.look([at({ delivered: 2, held: 1 })]), { samples: 0, bytes: 0 }, 'what it holds is of the round')
  const second = enter(3, 3_000, 'breaker', 2)
  rounds.settle('e0002')
  t.same(count.look([at({ delivered: 1, held: 1 })]), { samples: 3, bytes: first + attempt + second }, 'the round is whole')
})

t.test('of two readers that a trainer has had the one with less before it is meant', async t => {
  const { count, enter } = fixture()
  enter(1, 1_000)
  const [two, three] = [enter(2, 2_000), enter(3, 4_000)]
  const [left, pinned] = [at({ acknowledged: 1, delivered: 1, waiting: 2 }), at({ delivered: 3, held: 1 })]
  t.same(count.look([left]), { samples: 2, bytes: two + three })
  t.same(count.look([left, pinned]), { samples: 1, bytes: Math.round((two + three) / 2) }, 'though the other has acknowledged up to a higher place')
})

t.test('a sample of a newer version counts by its own bytes', async t => {
  const { count } = fixture()
  const bytes = pack({ schema_version: 99 })
  count.enter({ key: 'r.x', sequence: 1, bytes })
  t.same(count.look([]), { samples: 1, bytes: bytes.length })
})
