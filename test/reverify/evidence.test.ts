// Goal: a verdict and a grade follow from their own evidence, and none that was changed does. Method: hundreds of verdicts and
// grades of every kind, by the real verification on simulated sandboxes; then one field of each is changed. The cases of
// test/verify do the same with real ones.

import t from 'tap'
import type { Grade, Verdict } from '../../src/domain.ts'
import { followGrade } from '../../src/reverify/grade.ts'
import { createNotes, type Difference } from '../../src/reverify/notes.ts'
import { followVerdict, type VerifiedBug } from '../../src/reverify/verdict.ts'
import { drawEpisode } from '../../src/run/draw.ts'
import { openSimulatedLab } from '../simulation/lab.ts'

const episodes = 120

interface Seen { verdicts: { stored: Verdict; about: VerifiedBug }[]; grades: { stored: Grade; attempt: Parameters<typeof followGrade>[2] }[] }

async function play (): Promise<Seen> {
  const seen: Seen = { verdicts: [], grades: [] }
  for (let number = 1; number <= episodes; number++) {
    const lab = openSimulatedLab({ seed: number, arena: number % 3, options: { mode: number % 2 === 0 ? 'strict' : 'group' } })
    const { verdict, artifact, attempts } = await lab.play(number, 2)
    if (verdict === null) continue
    const { arena, options: { mode } } = lab
    const { bug } = artifact!
    seen.verdicts.push({ stored: verdict, about: { bug, arena, params: drawEpisode(lab.options, number).params, mode } })
    for (const { patch, grade } of attempts) if (grade !== null) seen.grades.push({ stored: grade, attempt: { bug, arena, expected: verdict, patch: patch! } })
  }
  return seen
}

const verdictDiffers = async (stored: Verdict, about: VerifiedBug): Promise<Difference[]> => {
  const notes = createNotes()
  await followVerdict('e0001.verify', stored, about, notes)
  return notes.differences
}

const gradeDiffers = async (stored: Grade, attempt: Seen['grades'][number]['attempt']): Promise<Difference[]> => {
  const notes = createNotes()
  await followGrade('e0001.grade.1.0', stored, attempt, notes)
  return notes.differences
}

t.test('of verdicts and grades', async t => {
  const { verdicts, grades } = await play()

  t.test('what was decided follows', async t => {
    for (const { stored, about } of verdicts) t.strictSame(await verdictDiffers(stored, about), [], `${stored.failed ?? 'valid'}, ${about.mode}`)
    for (const { stored, attempt } of grades) t.strictSame(await gradeDiffers(stored, attempt), [], stored.outcome)
    t.ok(new Set(verdicts.map(({ stored }) => stored.failed)).size > 4 && new Set(grades.map(({ stored }) => stored.outcome)).size > 3, 'of many kinds')
  })

  t.test('a verdict that was changed does not', async t => {
    for (const { stored, about } of verdicts) {
      for (const change of [swapVerdict, dropTest, changeMap]) {
        const changed = structuredClone(stored)
        if (change(changed)) t.not((await verdictDiffers(changed, about)).length, 0, `${change.name} of ${stored.failed ?? 'valid'}`)
      }
    }
  })

  t.test('a grade that was changed does not', async t => {
    // That a patch does not apply is not kept: a grade which says so is believed.
    for (const { stored, attempt } of grades) {
      const changed: Grade = { ...stored, solved: stored.solved !== true, outcome: stored.solved === true ? 'failing' : 'solved' }
      t.not((await gradeDiffers(changed, attempt)).length, 0, `${stored.outcome} made ${changed.outcome}`)
    }
  })
})

/** The whole table agrees with itself afterwards. */
function swapVerdict (verdict: Verdict): boolean {
  if (!verdict.valid) {
    // Of what a stage after the failed one would say there is no evidence.
    for (const check of verdict.checks) check.verdict = 'pass'
    Object.assign(verdict, { valid: true, failed: null })
    return true
  }
  verdict.checks.find(({ name }) => name === 'bug')!.verdict = 'fail'
  Object.assign(verdict, { valid: false, failed: 'bug', mode: null, f2p: [], p2p: [] })
  return true
}

const dropTest = (verdict: Verdict): boolean => verdict.valid && verdict.f2p.shift() !== undefined

/** One test of the kept runs, with the counts that go with it. */
function changeMap (verdict: Verdict): boolean {
  if (!verdict.valid) return false
  const run = (verdict.checks.find(({ name }) => name === 'bug')!.evidence['runs'] as { results: Record<string, string>; passed: number; failed: number }[])[0]!
  run.results[verdict.f2p[0]!] = 'passed'
  run.passed++
  run.failed--
  return true
}
