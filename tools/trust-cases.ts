// Writes the cheats of test/trust/grader as plain files, for graders other than Spar's: a folder for each, with the original tree, the
// tree that the solver saw, the artifact, the attempt, and case.json, which says what has to come of it (docs/trust.md).
// Usage: npm run trust-cases -- <folder>

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createProcessSandboxes } from '../src/sandbox/index.ts'
import { verifyPorts } from '../src/verify/ports.ts'
import { writeFiles, type Files } from '../test/artifact/git.ts'
import { graderCases } from '../test/trust/grader/cases.ts'
import { patchOfCase } from '../test/trust/grader/patch.ts'
import { openWorld, pytestEnvironment, type World, type WorldName } from '../test/trust/grader/worlds.ts'

const out = process.argv[2]
if (out === undefined || existsSync(out)) {
  console.error(out === undefined ? 'Usage: npm run trust-cases -- <folder>' : `Cannot write the cases: ${out} is there already. Name a new folder`)
  process.exit(2)
}

const home = mkdtempSync(join(tmpdir(), 'spar-trust-'))
const sandboxes = await createProcessSandboxes({ home })
const ports = verifyPorts(sandboxes)

const slug = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '')

function writeCase (folder: string, world: World, original: Files, attempt: Uint8Array, about: object): void {
  writeFiles(join(folder, 'original'), original)
  writeFiles(join(folder, 'solver'), world.solverTree)
  const { files } = world.bug
  const parts: Record<string, Uint8Array> = {
    'test_script.sh': files.testScript, 'test_files.txt': files.testFiles, [files.parserName]: files.testParser, 'bug_inject.diff': files.bugInject, 'test_weaken.diff': files.testWeaken, 'attempt.diff': attempt,
    'case.json': Buffer.from(`${JSON.stringify({ ...about, FAIL_TO_PASS: world.expected.f2p, PASS_TO_PASS: world.expected.p2p }, null, 1)}\n`)
  }
  for (const [name, bytes] of Object.entries(parts)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), bytes)
  }
}

try {
  const worlds = new Map<WorldName, World>()
  for (const name of [...new Set(graderCases.map(({ world }) => world))]) {
    if (name === 'pytest' && pytestEnvironment() === null) console.error('left out: cases of pytest, since python3 has none here')
    else worlds.set(name, await openWorld(name, home, ports))
  }
  let written = 0
  for (const one of graderCases) {
    const world = worlds.get(one.world)
    if (world === undefined) continue
    const name = `${slug(one.world)}-${slug(one.trick)}`
    writeCase(join(out, name), world, world.original, patchOfCase(one, world.solverTree), { name, runner: one.world, trick: one.trick, solved: false, spar: { outcome: one.outcome, finding: one.finding?.source ?? null } })
    written++
  }
  for (const world of worlds.values()) {
    writeCase(join(out, `${slug(world.name)}-honest`), world, world.original, patchOfCase({ changes: world.repair }, world.solverTree), { name: `${slug(world.name)}-honest`, runner: world.name, trick: 'none: it repairs the bug', solved: true, spar: { outcome: 'solved', finding: null } })
    written++
  }
  console.log(`${written} cases in ${out}`)
} finally {
  await sandboxes.close()
  rmSync(home, { recursive: true, force: true })
}
