// The attacks, against containers of the real engine: of an arena in an image, and of one in a directory.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

import { createDockerSandboxes } from '../../../src/sandbox/docker/index.ts'
import type { Sandbox } from '../../../src/ports.ts'
import { findTestEngine, makeArenaFolder, makeArenaImage } from '../../helpers/sandbox-fixture.ts'
import { escapeSuite } from './suite.ts'

for (const place of ['image', 'directory'] as const) {
  t.test(`docker, an arena in ${place === 'image' ? 'an image' : 'a directory'}`, async t => {
    const found = await findTestEngine()
    if ('reason' in found) return process.env['CI'] !== undefined ? void t.fail(found.reason) : void t.pass('no engine here', { skip: found.reason })
    const { docker } = found
    const folder = mkdtempSync(join(tmpdir(), 'spar-escape-test-'))
    const plain = makeArenaFolder(folder)
    const made = place === 'image' ? await makeArenaImage(docker, plain) : null
    const sandboxes = await createDockerSandboxes({ docker, home: join(folder, 'home') })
    t.teardown(async () => {
      await sandboxes.close()
      await made?.remove()
      rmSync(folder, { recursive: true, force: true })
      await sandboxes.reap()
    })
    const leftOf = async ({ id }: Sandbox): Promise<string[]> => (await docker.listContainers({ all: true })).flatMap(({ Names }) => Names).filter(name => name === `/${id}`)
    escapeSuite(t, { sandboxes, arena: made?.arena ?? plain, isolation: 'docker', folder, holdsMemory: true, leftOf })
  })
}
