// Goal: a hunk made from an edit is what git would have needed. Method: random edits of small texts, applied by git.

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { hunkOf } from '../../../src/workers/mutate/hunk.ts'
import { applyEdit } from '../../../src/workers/mutate/source.ts'
import { lineStartsOf } from '../../../src/workers/mutate/syntax.ts'
import { testFolder } from '../../helpers/test-folder.ts'

t.test('git applies the hunk of any edit', t => {
  const folder = testFolder(t)
  const file = join(folder, 'f')
  const line = fc.constantFrom('a\n', 'b\n', '\n', 'cc\r\n', 'é\n', 'd')
  fc.assert(fc.property(fc.array(line, { minLength: 1, maxLength: 14 }), fc.nat(), fc.nat(), fc.array(line, { maxLength: 3 }), (lines, from, length, inserted) => {
    const text = lines.join('')
    const start = from % (text.length + 1)
    const end = start + length % (text.length - start + 1)
    const edit = { start, end, text: inserted.join('') }
    const wanted = applyEdit(text, edit)
    if (wanted === text || wanted === '') return
    writeFileSync(file, text)
    const patch = `--- a/f\n+++ b/f\n${hunkOf(text, lineStartsOf(text), edit)}`
    const { stderr } = spawnSync('git', ['apply', '--whitespace=nowarn', '--unidiff-zero', '-'], { cwd: folder, input: patch, encoding: 'utf8', env: { ...process.env, GIT_CEILING_DIRECTORIES: join(folder, '..') } })
    if (readFileSync(file, 'utf8') !== wanted) throw new Error(`${stderr}\n${patch}`)
  }), { numRuns: 60, seed: 1 })
  t.end()
})
