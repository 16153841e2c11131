// What may still be told of tests whose files cannot be read, and what may not: a suite that runs them is never objected to,
// however it names them.

import t from 'tap'
import type { TestMap } from '../../src/domain.ts'
import { forgery } from '../../src/verify/blind.ts'

const passes = (...ids: string[]): TestMap => Object.fromEntries(ids.map(id => [id, 'passed']))
const fails = (...ids: string[]): TestMap => Object.fromEntries(ids.map(id => [id, 'failed']))
const [a, b, c] = ['test/a.js::one', 'test/a.js::two', 'test/b.js > three'] as const

const cases: [what: string, passing: string[], buggy: TestMap, blind: TestMap, says: RegExp | null][] = [
  ['nothing', [a, b, c], { ...fails(a), ...passes(b, c) }, {}, null],
  ['tests that are not known', [a, b, c], { ...fails(a), ...passes(b, c) }, fails('test/a.js::cannot be loaded'), null],
  ['every test of a file as failed, by somebody who has a list', [a, b, c], { ...fails(a), ...passes(b, c) }, fails(a, b, c), null],
  ['a whole file as failed', ['test/a.js', a, b], { ...fails(a), ...passes(b, 'test/a.js') }, fails('test/a.js'), null],
  ['a whole file as passed', ['test/a.js', 'test/b.js'], { ...fails('test/a.js'), ...passes('test/b.js') }, passes('test/b.js'), null],
  ['tests of a file that is not listed', [a, 'test/c.js::four'], { ...fails(a), ...passes('test/c.js::four') }, passes('test/c.js::four'), null],
  ['tests of a file whose path begins with a listed one', [a, 'test/a.js.test.js::four'], { ...fails(a), ...passes('test/a.js.test.js::four') }, passes('test/a.js.test.js::four'), null],
  ['tests of a file whose path ends with a listed one', [a, 'sub/test/a.js::four'], { ...fails(a), ...passes('sub/test/a.js::four') }, passes('sub/test/a.js::four'), null],
  ['tests without a file, some of which are elsewhere', ['one', 'two', 'three'], { ...fails('one'), ...passes('two', 'three') }, passes('three'), null],
  ['a test as passed', [a, b, c], { ...fails(a), ...passes(b, c) }, passes(c), /three" passes though test\/b\.js/],
  ['some of a file as failed', [a, b, c], { ...fails(a), ...passes(b, c) }, fails(a), /one", of the tests of test\/a\.js only 1 of 2/],
  ['everything as before, without files', ['one', 'two'], { ...fails('one'), ...passes('two') }, { ...fails('one'), ...passes('two') }, /all of 2 tests have the same results/]
]

for (const [what, passing, buggy, blind, says] of cases) {
  t.test(`it tells of ${what}`, async t => {
    const found = forgery({ passing, f2p: passing.filter(id => buggy[id] === 'failed'), buggy, blind, testFiles: ['test/a.js', 'test/b.js'] })
    if (says === null) t.equal(found, null)
    else t.match(found, says)
  })
}
