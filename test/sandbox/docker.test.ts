// The contract, run by containers of the real engine.

import Docker from 'dockerode'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { rmSync, writeFileSync } from 'node:fs'
import t from 'tap'

import { createDockerSandboxes } from '../../src/sandbox/docker/index.ts'
import { findTestEngine, makeArenaFolder, makeArenaImage, specOf } from '../helpers/sandbox-fixture.ts'
import { sandboxContract } from './contract.ts'

const secret = join(homedir(), `.spar-test-secret-docker-${process.pid}`)
writeFileSync(secret, 'secret')
t.teardown(() => rmSync(secret, { force: true }))

t.test('docker', async t => {
  const found = await findTestEngine()
  if ('reason' in found) {
    if (process.env['CI'] !== undefined) return void t.fail(found.reason)
    return void t.pass('no engine here', { skip: found.reason })
  }
  const { docker } = found
  const folder = t.testdir({})
  const plain = makeArenaFolder(folder)
  const { arena, remove } = await makeArenaImage(docker, plain)
  const sandboxes = await createDockerSandboxes({ docker, home: folder })
  t.teardown(async () => {
    await sandboxes.close()
    await remove()
  })
  t.test('an arena without an image, or with one that is not there, is refused', async t => {
    await t.rejects(sandboxes.open(specOf(plain)), { code: 'SANDBOX_NO_IMAGE' })
    await t.rejects(sandboxes.open(specOf({ ...arena, image: `sha256:${'0'.repeat(64)}` })), { code: 'SANDBOX_NO_IMAGE' })
  })
  t.test('an engine that does not answer is an error that says so', async t => {
    await t.rejects(createDockerSandboxes({ docker: new Docker({ socketPath: join(folder, 'no.sock') }), home: folder }), { code: 'SANDBOX_NO_ENGINE' })
  })
  sandboxContract(t, {
    sandboxes,
    arena,
    walls: true,
    holdsMemory: true,
    secret,
    arenaFile: null,
    murder: async sandbox => { await docker.getContainer(sandbox.id).remove({ force: true }) }
  })
})
