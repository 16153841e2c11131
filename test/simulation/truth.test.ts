// Goal: what the simulated sandboxes and policies bring about is what the real verification and the real handlers decide on, and
// it is what is true. Method: whole episodes from many seeds, each verdict and grade held against the suite run on trees.

import t from 'tap'
import type { CheckName, GradeOutcome } from '../../src/domain.ts'
import { breakPlanOf, breakPlans, type BreakPlan } from '../../src/simulation/breaker.ts'
import { solvePlanOf, type SolvePlan } from '../../src/simulation/solver.ts'
import { truthOfAttempt, truthOfBug } from '../../src/simulation/truth.ts'
import { breakId, solveId } from '../../src/run/ids.ts'
import { drawEpisode, episodeIdOf, rolloutSeed } from '../../src/run/draw.ts'
import { createBug } from '../../src/artifact/index.ts'
import { bugPatches, gradeAttempt } from '../../src/verify/grade.ts'
import { oraclePatch, prepareTree } from '../../src/verify/solver-tree.ts'
import { openSimulatedLab } from './lab.ts'

const episodes = 300

for (const mode of ['strict', 'group'] as const) {
  t.test(`verdicts and grades are the truth, mode ${mode}`, async t => {
    const seen = new Map<BreakPlan, Set<CheckName | 'none' | 'valid'>>()
    const outcomes = new Map<SolvePlan, Set<GradeOutcome | 'none'>>()
    const skill = 0.5
    const wrong: string[] = []
    for (let number = 1; number <= episodes; number++) {
      const lab = openSimulatedLab({ seed: number, skill, arena: number % 3, options: { mode } })
      const { broke, verdict, artifact, attempts } = await lab.play(number, 3)
      const episodeId = episodeIdOf(number)
      const plan = breakPlanOf({ seed: rolloutSeed(lab.options, breakId(episodeId)) })
      note(seen, plan, verdict === null ? 'none' : verdict.failed ?? 'valid')
      if (verdict === null) { if (broke.outcome !== 'policy_fault') wrong.push(`${number}: ${broke.outcome} without a bug`); continue }
      const { params } = drawEpisode(lab.options, number)
      const truth = truthOfBug(artifact!.bug, lab.arena, params, mode)
      const { valid, failed, f2p, p2p } = verdict
      if (JSON.stringify({ valid, failed, f2p, p2p }) !== JSON.stringify(truth)) wrong.push(`${number} ${plan}: ${JSON.stringify({ valid, failed, f2p, p2p })}, truly ${JSON.stringify(truth)}`)
      for (const { member, patch, grade, solve } of attempts) {
        const drawn = solvePlanOf({ seed: rolloutSeed(lab.options, solveId(episodeId, 1, member)), oraclePatch: oraclePatch(artifact!.bug) }, skill)
        note(outcomes, drawn, grade?.outcome ?? 'none')
        if (grade === null) { if (solve.outcome !== 'policy_fault') wrong.push(`${number}.${member}: ${solve.outcome} without a patch`); continue }
        const solves = truthOfAttempt(artifact!.bug, lab.arena, verdict, patch!)
        if (grade.solved !== solves) wrong.push(`${number}.${member} ${drawn}: ${grade.outcome} (${grade.reason}), truly ${solves}`)
      }
      if (lab.machine.alive().length > 0) wrong.push(`${number}: ${lab.machine.alive().length} sandboxes are left`)
    }
    t.same(wrong, [])
    for (const [plan, { refusedBy }] of Object.entries(breakPlans) as [BreakPlan, typeof breakPlans[BreakPlan]][]) {
      const expected = plan === 'pairedFiles' && mode === 'group' ? 'valid' : refusedBy ?? 'valid'
      t.same([...seen.get(plan) ?? []], [expected], `${plan} ends as ${expected}`)
    }
    t.same(Object.fromEntries([...outcomes].map(([plan, found]) => [plan, [...found].sort()]).sort()), {
      babbles: ['none'], empty: ['empty'], forbidden: ['forbidden'], givesUp: ['none'], neverSubmits: ['none'], partial: ['failing'], repair: ['solved'], syntax: ['failing'], wrong: ['failing']
    })
  })
}

t.test('a bug of order 2 is repaired by whoever repairs both', async t => {
  const lab = openSimulatedLab({ seed: 3, skill: 0 })
  for (let number = 1; ; number++) {
    const { artifact, verdict, attempts } = await lab.play(number, 8)
    const failed = attempts.find(({ grade }) => grade?.outcome === 'failing')
    if (failed === undefined) continue
    const bug = createBug({ ...artifact!.bug.files, predPatch: failed.patch! }, artifact!.bug.id)
    const { place: { ports }, clock, arena } = lab
    const sandbox = await clock.drive(ports.sandboxes.open({ arena, view: 'tree', network: 'none', label: { run: 'test', purpose: 'order 2' } }))
    t.match(await clock.drive(prepareTree(sandbox, 'order 2', bugPatches(bug))), /^[0-9a-f]{40}$/)
    await clock.drive(sandbox.destroy())
    const grade = await clock.drive(gradeAttempt({ bug, arena, expected: verdict!, patch: failed.patch!, run: 'test' }, ports.verify))
    t.equal(grade.solved, truthOfAttempt(bug, arena, verdict!, failed.patch!))
    t.equal(grade.solved, false)
    return
  }
})

function note<Key, Value> (map: Map<Key, Set<Value>>, key: Key, value: Value): void {
  map.set(key, (map.get(key) ?? new Set()).add(value))
}
