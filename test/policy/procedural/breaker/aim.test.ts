// Goal: what is aimed is what the solver's own candidates can undo; nothing else is called repairable.

import t from 'tap'
import { createAim } from '../../../../src/policy/procedural/breaker/aim.ts'
import { applyEdits } from '../../../../src/policy/procedural/breaker/patch.ts'
import type { Change } from '../../../../src/policy/procedural/breaker/probe.ts'
import { createRandom } from '../../../../src/random.ts'
import { createPool } from '../../../../src/workers/pool.ts'

const text = `'use strict'

exports.pick = function pick (items, wanted) {
  if (!Array.isArray(items)) return null
  const table = { first: 'eighteen carat', second: 'a long way from home' }
  for (const item of items) {
    if (item.kind === wanted) return table[item.rank]
  }
  return null
}
`
const change = (from: string, to: string): Change => {
  const start = text.indexOf(from)
  return { path: 'pick.js', edits: [{ start, end: start + from.length, text: to }], what: from, origin: 'removal' }
}
const easy = change('!Array', 'Array')
const hard = change("first: 'eighteen carat', ", '')

t.test('aiming', async t => {
  const workers = createPool({ threads: 1 })
  t.teardown(() => workers.close())
  t.not(applyEdits(text, easy.edits), text)
  const texts = new Map([['pick.js', text]])
  const chosen: Change[] = []
  for (let seed = 0; seed < 8; seed++) {
    const aim = createAim(workers, texts, createRandom(seed))
    t.notOk((await aim.among([hard, easy])).includes(hard), 'nobody guesses a text that stands nowhere else')
    const draws = [hard, easy]
    const got: Change[] = []
    for (let change = await aim.choose(() => draws.shift() ?? null); change !== null; change = await aim.choose(() => null)) got.push(change)
    chosen.push(got[0]!)
    t.same(new Set([...got, ...draws]), new Set([hard, easy]), 'what was looked at and left comes back')
  }
  t.ok(chosen.includes(easy), 'a negation is found again')
  t.equal(await createAim(workers, texts, createRandom(1)).choose(() => null), null)
})
