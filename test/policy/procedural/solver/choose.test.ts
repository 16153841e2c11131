import t from 'tap'
import { drawCandidates } from '../../../../src/policy/procedural/solver/choose.ts'
import { createRandom } from '../../../../src/random.ts'
import type { Mutant } from '../../../../src/workers/mutate/types.ts'

const candidates = (name: string): Mutant[] => Array.from({ length: 50 }, (_, line) => ({ operator: name, edit: { start: line, end: line, text: name }, line, endLine: line, unit: null }))

t.test('a suspicious file goes ahead, the others are not forgotten, and the seed alone decides', async t => {
  const lists = [{ path: 'a', score: 1, candidates: candidates('a') }, { path: 'b', score: 0.5, candidates: candidates('b') }]
  const drawn = drawCandidates(lists, createRandom(1))
  t.equal(drawn.length, 100)
  const early = drawn.slice(0, 25).filter(({ path }) => path === 'a').length
  t.ok(early > 13 && early < 25, `${early} of the first 25 are of the suspicious file`)
  t.strictSame(drawn, drawCandidates(lists, createRandom(1)))
  t.notSame(drawn, drawCandidates(lists, createRandom(2)))
})
