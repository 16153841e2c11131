// The contract, run by the process sandbox in each isolation that this host has.

import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, homedir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readLease } from '../../src/sandbox/lease.ts'
import { startsPerCore } from '../../src/sandbox/limits.ts'
import { createProcessSandboxes, type ProcessSandboxes } from '../../src/sandbox/process/index.ts'
import { makeArenaFolder, specOf } from '../helpers/sandbox-fixture.ts'
import { sandboxContract } from './contract.ts'
import { testFolder } from '../helpers/test-folder.ts'

const secret = join(homedir(), `.spar-test-secret-${process.pid}`)
writeFileSync(secret, 'secret')
t.teardown(() => rmSync(secret, { force: true }))

for (const isolation of ['bubblewrap', 'namespaces', 'none'] as const) {
  t.test(isolation, async t => {
    const folder = testFolder(t)
    const home = join(folder, 'home')
    let sandboxes: ProcessSandboxes
    try {
      sandboxes = await createProcessSandboxes({ home, isolation })
    } catch (error) {
      if (process.env['CI'] !== undefined) throw error
      return void t.pass('no such isolation here', { skip: error instanceof Error ? error.message : String(error) })
    }
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
    t.test('closing leaves nothing but the layers of arenas', async t => {
      const sandbox = await sandboxes.open(specOf(arena))
      await sandboxes.close()
      await t.rejects(sandbox.exec('true', { timeoutMs: 1000, outputBytesMax: 10 }), { code: 'SANDBOX_LOST' })
      await t.rejects(sandboxes.open(specOf(arena)), { code: 'SANDBOX_CLOSED' })
      t.same(readdirSync(join(home, 'sandboxes')).filter(name => name !== 'layers'), [])
    })
  })
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
