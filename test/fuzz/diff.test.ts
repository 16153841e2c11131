// Goal: no patch, however mangled, makes us and git differ. Method: a bounded run of the fuzzer, whose cases a seed
// replays; `npm run fuzz` runs it for as long as asked.

import t from 'tap'
import { fuzzDiff } from './diff.ts'

t.test('600 patches apply, or are refused, as with git', async t => {
  const { differences, accepted } = fuzzDiff({ seed: 20, cases: 600 })
  t.same(differences.map(({ number, why }) => ({ number, why })), [])
  t.ok(accepted > 150, `${accepted} of them apply`)
})
