// Goal: what a bug brings back from the repository's own history is no cheat, and what only looks like it is one. Method: a
// history of two commits; the bug takes the second one back, or says the same in other words.

import { join } from 'node:path'
import t from 'tap'
import { verifyBug } from '../../../actors/verifier.ts'
import type { Verdict } from '../../../src/domain.ts'
import { createNotes } from '../../../src/reverify/notes.ts'
import { followVerdict } from '../../../src/reverify/verdict.ts'
import { git, text, writeFiles } from '../../artifact/git.ts'
import { changed, makeBug, openLab, original, valid, verdicts, type Recipe } from '../../verify/fixture.ts'

const past = 'exports.at = () => Date.now()\nexports.add = (a, b) => a - b\nexports.sub = (a, b) => a - b\n'

t.test('a line of the history is not objected to', async t => {
  const lab = await openLab(t)
  const arena = { ...lab.arena(), id: 'e'.repeat(16), commits: 2 }
  const repository = join(arena.dir, 'git')
  git(repository, ['init', '-q', '.'])
  for (const files of [changed(original, { 'src/add.js': text(past) }), original]) {
    writeFiles(repository, files)
    git(repository, ['add', '-A', '-f'])
    git(repository, ['commit', '-q', '-m', 'a change'])
  }
  const verify = async (recipe: Recipe): Promise<Verdict> => {
    const about = { bug: makeBug(recipe), arena, params: { minPassing: 3, minFiles: 1, minFailing: 1 }, mode: 'strict' } as const
    const verdict = await verifyBug({ ...about, run: 'test' }, lab.ports)
    const notes = createNotes()
    await followVerdict('verify', verdict, about, notes)
    t.strictSame(notes.differences, [], 'it follows from its own evidence')
    return verdict
  }
  const back = await verify({ ...valid, bug: { 'src/add.js': text(past) } })
  t.ok(back.valid, verdicts(back))
  t.match(back.checks.find(({ name }) => name === 'scope')?.evidence, { found: [], fromHistory: [{ rule: 'clock', name: 'Date.now' }] })
  const other = await verify({ ...valid, bug: { 'src/add.js': text(past.replace('() => Date.now()', '() => Date.now() % 2')) } })
  t.match(other, { valid: false, failed: 'determinism' }, verdicts(other))
  t.strictSame(lab.left(), [])
})
