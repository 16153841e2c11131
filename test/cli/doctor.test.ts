// Goal: `spar doctor` says of each guarantee what is so. Method: the real command line on this machine, whose walls the
// sandbox contract proves; and a sandbox without walls, of which it must say so.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createEngine } from '../../src/sandbox/docker/engine.ts'
import { guarantees, probeGuarantees, whatItTakes, type Answers, type GuaranteeName } from '../../src/sandbox/guarantees.ts'
import { createProcessSandboxes } from '../../src/sandbox/index.ts'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

interface Guaranteed { by: string; runtimes: string[]; fault: string | null; answers: Record<string, { holds: boolean | null; takes?: string }> }

/** What the contract proves of every kind with walls. */
const walls: GuaranteeName[] = ['no-network', 'host-files-hidden', 'host-processes-hidden', 'no-capabilities', 'no-new-privileges', 'no-namespaces', 'file-limit', 'process-limit']

t.test('guarantees under --json have stable names, and hold where the contract proves it', { timeout: 180_000 }, async t => {
  const cwd = testFolder(t)
  const home = join(cwd, 'home')
  const { code, json, err } = await spar(['doctor', '--json'], { home, cwd })
  t.equal(code, 0, err)
  const { guarantees: { process: processes, docker }, sandboxes } = json as unknown as { guarantees: { process: Guaranteed; docker: Guaranteed | null }; sandboxes: { process: string; docker: boolean } }
  t.equal(processes.by, sandboxes.process)
  t.equal(docker !== null, sandboxes.docker)
  for (const [kind, found] of [['process', processes], ['docker', docker]] as const) {
    if (found === null || found.by === 'none') {
      t.pass(`no ${kind} sandboxes here`, process.env['CI'] === undefined ? { skip: 'nothing to try' } : {})
      continue
    }
    t.equal(found.fault, null)
    t.same(Object.keys(found.answers).sort(), Object.keys(guarantees).sort())
    for (const name of walls) t.equal(found.answers[name]!.holds, true, `${kind}: ${name}`)
    for (const [name, { holds, takes }] of Object.entries(found.answers)) {
      if (holds !== true) t.equal(takes, whatItTakes(kind, name as GuaranteeName), `${kind}: ${name}`)
    }
  }
  if (docker !== null) {
    t.equal(docker.answers['memory-limit']!.holds, true)
    t.equal(docker.answers['cpu-limit']!.holds, true)
    t.same(docker.runtimes, (await createEngine().runtimes()).names)
    if (docker.by === 'runc') t.match(docker.answers['own-kernel'], { holds: false, takes: /--runtime runsc/ })
    const refused = await spar(['doctor', '--runtime', 'no-such-runtime'], { home, cwd })
    t.not(refused.code, 0)
    t.match(refused.err, /the engine knows .*runc/)
  }
})

t.test('a sandbox without walls is told from one with them', { timeout: 60_000 }, async t => {
  const home = join(testFolder(t), 'home')
  mkdirSync(home)
  const sandboxes = await createProcessSandboxes({ home, isolation: 'none' })
  t.teardown(() => sandboxes.close())
  const expected: Partial<Answers> = { 'host-files-hidden': false, 'host-processes-hidden': false, 'own-user': false, 'own-kernel': false, 'file-limit': true }
  t.match(await probeGuarantees(sandboxes, home), expected)
})
