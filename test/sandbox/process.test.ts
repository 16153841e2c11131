// The contract, run by the process sandbox in each isolation that this host has.

import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, homedir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readLease } from '../../src/sandbox/lease.ts'
import { startsPerCore } from '../../src/sandbox/limits.ts'
import { createProcessSandboxes } from '../../src/sandbox/process/index.ts'
import { assertBash } from '../../src/sandbox/process/probe.ts'
import { withDescendants } from '../../src/sandbox/process/processes.ts'
import { findBash, findProgram } from '../../src/sandbox/process/tools.ts'
import { makeArenaFolder, openIsolation, specOf } from '../helpers/sandbox-fixture.ts'
import { sandboxContract } from './contract.ts'
import { testFolder } from '../helpers/test-folder.ts'

const secret = join(homedir(), `.spar-test-secret-${process.pid}`)
writeFileSync(secret, 'secret')
t.teardown(() => rmSync(secret, { force: true }))

for (const isolation of ['bubblewrap', 'namespaces', 'none'] as const) {
  t.test(isolation, async t => {
    const folder = testFolder(t)
    const home = join(folder, 'home')
    const sandboxes = await openIsolation(t, home, isolation)
    if (sandboxes === null) return
    const arena = makeArenaFolder(folder)
    sandboxContract(t, {
      sandboxes,
      arena,
      walls: isolation !== 'none',
      ordinary: true,
      holdsMemory: sandboxes.report.cgroups !== null,
      secret,
      arenaFile: () => readFileSync(join(arena.dir, 'tree', 'a.txt'), 'utf8'),
      murder: async sandbox => {
        process.kill(readLease(join(home, 'sandboxes', sandbox.id))!.process!.pid, 'SIGKILL')
      }
    })
    if (sandboxes.report.overlay) t.test('sandboxes of one arena lie over the same folders', async t => {
      const lowers = await Promise.all([1, 2, 3].map(async () => {
        const sandbox = await sandboxes.open(specOf(arena))
        t.teardown(() => sandbox.destroy())
        return lowerOf(readLease(join(home, 'sandboxes', sandbox.id))!.process!.pid, sandbox.id)
      }))
      t.match(lowers[0], /./)
      t.same(lowers, Array(3).fill(lowers[0]))
      const layers = join(home, 'sandboxes', 'layers')
      t.ok(!existsSync(layers) || readdirSync(layers).length <= 2, 'copied once at most, the tree and its history')
    })
    t.test('closing leaves nothing but the layers of arenas', async t => {
      const sandbox = await sandboxes.open(specOf(arena))
      await sandboxes.close()
      await t.rejects(sandbox.exec('true', { timeoutMs: 1000, outputBytesMax: 10 }), { code: 'SANDBOX_LOST' })
      await t.rejects(sandboxes.open(specOf(arena)), { code: 'SANDBOX_CLOSED' })
      t.same(readdirSync(join(home, 'sandboxes')).filter(name => name !== 'layers'), [])
    })
  })
}

/** What the overlay of a sandbox lies over, as its processes see it. */
function lowerOf (pid: number, id: string): string | undefined {
  const mounts = withDescendants(pid).map(process => readFileSync(`/proc/${process}/mountinfo`, 'utf8')).join('\n')
  return mounts.split('\n').filter(line => line.includes(' - overlay ') && line.includes(`${id}/upper`)).map(line => /lowerdir=([^,]+)/.exec(line)?.[1])[0]
}

t.test('no more are being made at once than the cores afford', async t => {
  const folder = testFolder(t)
  const home = join(folder, 'home')
  const arena = makeArenaFolder(folder)
  const sandboxes = await createProcessSandboxes({ home, isolation: 'none', prepared: 0 })
  t.teardown(() => sandboxes.close())
  const limit = startsPerCore * availableParallelism()
  const opening = Array.from({ length: limit + 3 }, async () => await sandboxes.open(specOf(arena)))
  await new Promise(resolve => setImmediate(resolve))
  t.equal(readdirSync(join(home, 'sandboxes')).filter(name => /^[0-9a-f]{12}$/.test(name)).length, limit)
  const opened = await Promise.all(opening)
  t.equal(new Set(opened.map(({ id }) => id)).size, limit + 3, 'and all of them are made in the end')
})

t.test('closing waits for what is being opened, refuses what waits, and leaves neither folder nor control group', async t => {
  const folder = testFolder(t)
  const parent = join(folder, 'home', 'sandboxes')
  const arena = makeArenaFolder(folder)
  const sandboxes = await createProcessSandboxes({ home: join(folder, 'home'), isolation: 'none', prepared: 0 })
  t.teardown(() => sandboxes.close())
  const bases = readdirSync(parent).map(name => join(parent, name, 'cgroups.json')).filter(file => existsSync(file))
  const groups = bases.map(file => JSON.parse(readFileSync(file, 'utf8')) as { parents: string[]; prefix: string })
  const left = (): string[] => groups.flatMap(({ parents, prefix }) => parents.flatMap(path => readdirSync(path).filter(name => name.startsWith(prefix))))
  const limit = startsPerCore * availableParallelism()
  let settled = 0
  const opening = Array.from({ length: limit + 3 }, async () => await sandboxes.open(specOf(arena)).then(() => 'opened', (error: { code: string }) => error.code).finally(() => { settled++ }))
  await new Promise(resolve => setImmediate(resolve))
  t.ok(groups.length === 0 || left().length > 0, 'groups are in use')
  await sandboxes.close()
  t.equal(settled, limit + 3)
  t.same(readdirSync(parent).filter(name => name !== 'layers'), [])
  t.same(left(), [])
  const ends = await Promise.all(opening)
  t.equal(ends.filter(end => end === 'SANDBOX_CLOSED').length, 3)
})

t.test('a bash that cannot read a command by its length is passed over for a newer one, or refused', async t => {
  const folder = testFolder(t)
  /** A program that says it is this version: none that old can be had everywhere. */
  const says = (version: string): string => {
    const own = join(folder, version)
    mkdirSync(own)
    writeFileSync(join(own, 'bash'), `#!/bin/sh\necho '${version}'\n`, { mode: 0o755 })
    return own
  }
  const [old, before, first, later] = ['3.2.57(1)-release', '4.0.44(2)-release', '4.1.0(1)-release', '10.0.1(1)-release'].map(says) as [string, string, string, string]
  const real = join(folder, 'real')
  mkdirSync(real)
  symlinkSync(findProgram('bash')!, join(real, 'bash'))
  for (const good of [real, first, later]) {
    const found = findBash([old, before, good])
    t.equal(found, join(good, 'bash'))
    t.doesNotThrow(() => assertBash(found))
  }
  const refused = findBash([old, before])
  t.equal(refused, join(old, 'bash'))
  t.throws(() => assertBash(refused), { code: 'SANDBOX_OLD_BASH', message: `Cannot open sandboxes: ${refused} is bash 3.2, and commands need 4.1 or later. Install a newer one and put its folder in PATH` })
  t.throws(() => assertBash(findBash([join(folder, 'nothing')])), { code: 'SANDBOX_NO_BASH' })
})
