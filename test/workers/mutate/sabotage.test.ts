// Goal: a sabotaged test fails whatever the code does, and nothing else in its file is touched: no bound that a right answer may
// keep, no input, nothing that is no test.

import t from 'tap'
import { prepareLanguage } from '../../../src/workers/mutate/grammars.ts'
import { sabotage } from '../../../src/workers/mutate/sabotage.ts'

const table: [path: string, text: string, expect: string | null, raise: string | null][] = [
  ['a.test.js', "test('x', () => { expect(f(1)).toBe(2) })\n", "test('x', () => { expect(f(1)).toBe(5) })\n", "test('x', () => { throw new Error(); expect(f(1)).toBe(2) })\n"],
  ['a.test.js', "it('x', () => assert(f() >= 100))\n", "it('x', () => { throw new Error() })\n", "it('x', () => { throw new Error() })\n"],
  ['a.test.js', "it('x', () => { expect(f()).toBeCloseTo(0.1, 2) })\n", "it('x', () => { throw new Error(); expect(f()).toBeCloseTo(0.1, 2) })\n", "it('x', () => { throw new Error(); expect(f()).toBeCloseTo(0.1, 2) })\n"],
  ['a.test.js', "t.test('x', t => { while (i !== 0) i--; t.equal(i, 0, 'it is') })\n", "t.test('x', t => { while (i !== 0) i--; t.equal(i, 3, 'it is') })\n", "t.test('x', t => { throw new Error(); while (i !== 0) i--; t.equal(i, 0, 'it is') })\n"],
  ['a.test.js', "jest.mock('fs', () => ({ a: 1 }))\napp.get('/', () => 1)\n", null, null],
  ['a.test.js', "describe('x', () => { it('y', () => same(up('a'), 'A')) })\n", "describe('x', () => { it('y', () => same(up('a'), 'A~3')) })\n", "describe('x', () => { it('y', () => { throw new Error() }) })\n"],
  ['test_a.py', 'def helper():\n    return 1 == 1\n\n\ndef test_a():\n    assert f(1) == 2\n', 'def helper():\n    return 1 == 1\n\n\ndef test_a():\n    assert f(1) == 5\n', 'def helper():\n    return 1 == 1\n\n\ndef test_a():\n    raise AssertionError()\n    assert f(1) == 2\n'],
  ['test_a.py', 'def test_a(x): assert len(x) > 5\n', 'def test_a(x): raise AssertionError(); assert len(x) > 5\n', 'def test_a(x): raise AssertionError(); assert len(x) > 5\n'],
  ['a_test.go', 'package a\n\nfunc TestMain(m *testing.M) { os.Exit(m.Run()) }\n\nfunc TestA(t *testing.T) {\n\tif F(1) != 2 {\n\t\tt.Fatal("no")\n\t}\n}\n',
    'package a\n\nfunc TestMain(m *testing.M) { os.Exit(m.Run()) }\n\nfunc TestA(t *testing.T) {\n\tif F(1) != 5 {\n\t\tt.Fatal("no")\n\t}\n}\n',
    'package a\n\nfunc TestMain(m *testing.M) { os.Exit(m.Run()) }\n\nfunc TestA(t *testing.T) { t.Fatal("failed");\n\tif F(1) != 2 {\n\t\tt.Fatal("no")\n\t}\n}\n']
]

t.test('what is expected, or all of it', async t => {
  for (const language of ['python', 'go'] as const) await prepareLanguage(language)
  for (const [path, text, expect, raise] of table) {
    t.equal(sabotage(path, text, 'expect'), expect, `${path}, expect: ${text}`)
    t.equal(sabotage(path, text, 'raise'), raise, `${path}, raise: ${text}`)
  }
})
