// Goal: whatever shape a runner prints stack traces in, the frames that point into the code come out, nearest first.

import t from 'tap'
import { hintsOf, missingNames, readFrames } from '../../../../src/policy/procedural/solver/failures.ts'

const files = ['lib/parse.js', 'src/box/core.py', 'src/box/util.py', 'box/box.go']

t.test('Node: frames of the tree count, those of packages and of tests do not', async t => {
  const log = `not ok 1 - parses
TypeError: Cannot read properties of undefined (reading 'host')
    at parse (/tree/lib/parse.js:12:7)
    at Object.run (/tree/node_modules/x/index.js:1:1)
    at outer (file:///tree/lib/parse.js:40:3)
    at TestContext.<anonymous> (/tree/test/parse.test.js:5:3)
    at node:internal/main:1:1`
  t.strictSame(readFrames(log, '/tree', files), [{ path: 'lib/parse.js', line: 12, depth: 0 }, { path: 'lib/parse.js', line: 40, depth: 1 }])
  t.strictSame(missingNames(log), ['host'])
})

t.test('Python: the last frame is the nearest, in both of pytest\'s styles and in plain tracebacks', async t => {
  const short = `____ test_box ____
tests/test_box.py:4: in test_box
    assert Box(1).open() == 2
src/box/core.py:30: in open
    return helper(self.size)
src/box/util.py:7: in helper
    raise ValueError(size)
E   ValueError: 1`
  t.strictSame(readFrames(short, '/tree', files), [{ path: 'src/box/util.py', line: 7, depth: 0 }, { path: 'src/box/core.py', line: 30, depth: 1 }])
  const plain = `Traceback (most recent call last):
  File "/tree/src/box/core.py", line 30, in open
    return helper(self.size)
  File "/tree/src/box/util.py", line 7, in helper
    size
NameError: name 'size' is not defined`
  t.strictSame(readFrames(plain, '/tree', files).map(frame => frame.path), ['src/box/util.py', 'src/box/core.py'])
  t.strictSame(missingNames(plain), ['size'])
})

t.test('Go: a relative name is found by its end', async t => {
  t.strictSame(readFrames('    box.go:9: open failed', '/tree', files), [{ path: 'box/box.go', line: 9, depth: 0 }])
})

t.test('hints are what the failing tests speak of most, without the words of every test', async t => {
  t.strictSame(hintsOf(["assert.equal(area(3, 4), 12)\nassert.equal(area(0, 4), 0, 'empty')"], 3), ['area', '4', '0'])
})
