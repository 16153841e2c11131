// Goal: a patch written from edits says what the edits say, for real git, whatever the line ends and names.

import fc from 'fast-check'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { applyEdits, areApart, patchOf } from '../../../../src/policy/procedural/breaker/patch.ts'
import { testFolder } from '../../../helpers/test-folder.ts'

const folder = testFolder(t)
execFileSync('git', ['init', '-q'], { cwd: folder })

const line = fc.constantFrom('a', 'b', 'one two', '  return x', '', 'größe', '-- not a header', '+++')
const text = fc.tuple(fc.array(line, { maxLength: 30 }), fc.constantFrom('\n', '\r\n'), fc.boolean())
  .map(([lines, end, closed]) => lines.join(end) + (closed && lines.length > 0 ? end : ''))
const edits = fc.array(fc.tuple(fc.nat(200), fc.nat(15), fc.constantFrom('', 'X', '\nnew\n', 'é')), { minLength: 1, maxLength: 3 })

t.test('git applies it to the same end', async t => {
  fc.assert(fc.property(fc.constantFrom('a.js', 'sp ace/ä "q".py', 'x/y.go'), text, edits, (path, before, drawn) => {
    const placed = drawn.map(([at, length, with_]) => {
      const start = at % (before.length + 1)
      return { start, end: Math.min(before.length, start + length), text: with_ }
    })
    fc.pre(areApart(placed))
    const after = applyEdits(before, placed)
    const patch = patchOf(path, before, placed)
    if (patch === '') return after === before
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), before)
    execFileSync('git', ['apply', '--whitespace=nowarn', '-'], { cwd: folder, input: patch })
    return readFileSync(join(folder, path), 'utf8') === after
  }), { numRuns: 60, seed: 7 })
  t.pass('60 drawn edits')
})

t.test('text put behind a last line without a newline replaces that line', async t => {
  const patch = patchOf('a.js', 'one\ntwo', [{ start: 7, end: 7, text: ' and more' }])
  t.match(patch, '-two\n\\ No newline at end of file\n+two and more\n\\ No newline at end of file\n')
})
