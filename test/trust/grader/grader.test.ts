// Goal: whatever an attempt tries, it is not graded as solved without a repair, and its sample says what it tried; and a repair is
// graded as solved, however it is written. Method: real bugs in real sandboxes, one trick a row (cases.ts).

import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { followGrade } from '../../../src/reverify/grade.ts'
import { createNotes } from '../../../src/reverify/notes.ts'
import { createProcessSandboxes } from '../../../src/sandbox/index.ts'
import type { Grade } from '../../../src/domain.ts'
import { gradeAttempt, sabotageHere, type VerifyPorts } from '../../../src/verify/index.ts'
import { verifyPorts } from '../../../src/verify/ports.ts'
import { createPool } from '../../../src/workers/pool.ts'
import { patchOfCase } from './patch.ts'
import { graderCases } from './cases.ts'
import { openWorld, pytestEnvironment, type World } from './worlds.ts'

async function openPorts (t: Test): Promise<{ home: string; ports: VerifyPorts }> {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'spar-trust-')))
  const sandboxes = await createProcessSandboxes({ home })
  const workers = createPool({ threads: 1 })
  t.teardown(async () => {
    await sandboxes.close()
    await workers.close()
    rmSync(home, { recursive: true, force: true })
  })
  return { home, ports: verifyPorts(sandboxes, { cores: 2, workers }) }
}

async function graded (t: Test, { arena, bug, expected }: World, patch: Uint8Array, ports: VerifyPorts): Promise<Grade> {
  const grade = await gradeAttempt({ bug, arena, expected, patch, run: 'test', limits: { scriptMsMax: 20_000 } }, ports)
  const notes = createNotes()
  await followGrade('grade', grade, { bug, arena, expected, patch }, notes)
  t.strictSame(notes.differences, [], 'it follows from its own evidence')
  return grade
}

for (const name of ['custom', 'node:test', 'unittest', 'pytest'] as const) {
  t.test(name, async t => {
    if (name === 'pytest' && pytestEnvironment() === null) return process.env['CI'] !== undefined ? void t.fail('no pytest') : void t.pass('no pytest here', { skip: 'python3 has no pytest' })
    const { home, ports } = await openPorts(t)
    const world = await openWorld(name, home, ports)
    const repair = await graded(t, world, patchOfCase({ changes: world.repair }, world.solverTree), ports)
    t.strictSame([repair.solved, repair.outcome, repair.findings], [true, 'solved', []], `a repair: ${repair.reason}`)
    const controls = repair.evidence['controls'] as { failing: string[] }[]
    t.strictSame([...new Set(controls.flatMap(({ failing }) => failing))].filter(id => world.expected.f2p.includes(id)).sort(), [...world.expected.f2p].sort(), 'every failing test was under control')
    const changes = Object.fromEntries(Object.keys(world.repair).map(path => [path, world.original[path]!]))
    const backwards = await graded(t, world, patchOfCase({ changes }, world.solverTree), ports)
    t.strictSame([backwards.solved, backwards.evidence['restored']], [true, true], 'the original itself needs no control')
    const queue = graderCases.filter(({ world }) => world === name)
    const examine = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const { trick, outcome, finding } = next
        const grade = await graded(t, world, patchOfCase(next, world.solverTree), ports)
        t.strictSame([grade.solved, grade.outcome], [false, outcome], `${trick}: ${grade.reason}`)
        const found = grade.findings ?? []
        t.equal(finding === null ? found.length === 0 : found.some(text => finding.test(text)), true, `${trick}: ${JSON.stringify(found)}`)
      }
    }
    await Promise.all([examine(), examine()])
  })
}

t.test('without threads the same is sabotaged', async t => {
  const source = "check('adds', () => same(add(1, 2), 3))\n"
  t.equal(await sabotageHere('test/a.test.js', source, 'expect'), "check('adds', () => same(add(1, 2), 6))\n")
  t.equal(await sabotageHere('test/a.test.js', source, 'raise'), "check('adds', () => { throw new Error() })\n")
})
