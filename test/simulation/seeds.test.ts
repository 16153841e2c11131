// Goal: no seed breaks a rule. Method: seeds that nobody has played before, so that every run looks somewhere else.

import t from 'tap'
import { play } from './play.ts'

/** Many where time is not a person's. */
const count = process.env['CI'] === undefined ? 30 : 500

t.test('fresh seeds', { timeout: 590_000 }, async t => {
  const first = Date.now() % 2 ** 31
  t.comment(`${count} seeds from ${first}`)
  const played = await play(first, count, { nodes: 2, episodes: 2 })
  t.same(played.flatMap(({ seed, violations }) => violations.map(violation => ({ seed, ...violation }))), [], `seeds from ${first}`)
  t.equal(played.length, count)
})
