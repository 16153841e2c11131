// Goal: trees that need more than Node open too: a Go module, and a tree that lives in an image of the real engine.

import { join } from 'node:path'
import t from 'tap'
import { openArena, type OpenOptions } from '../../src/arena/open.ts'
import { systemClock } from '../../src/clock.ts'
import type { Arena } from '../../src/domain.ts'
import { createSandboxes } from '../../src/sandbox/index.ts'
import { findTestEngine, makeArenaImage } from '../helpers/sandbox-fixture.ts'
import { makeGrounds } from './grounds.ts'
import { lacks, unless } from './support.ts'

const { home, open, repository } = await makeGrounds(t)

t.test('opens a Go module, whose sandboxes build without the network', async t => {
  if (!unless(t, lacks('go', 'version'))) return
  const goTest = (name: string): string => `package ${name}\nimport ("strconv"; "testing")\nfunc TestAll(t *testing.T) { for i := 0; i < 12; i++ { t.Run(strconv.Itoa(i), func(t *testing.T) {}) } }\n`
  const arena = await open(repository({ 'go.mod': 'module example.org/m\n\ngo 1.21\n', 'a_test.go': goTest('m'), 'sub/b_test.go': goTest('sub') }))
  t.match(arena, { runner: 'go test', testFiles: [{ path: 'a_test.go', passed: 13 }, { path: 'sub/b_test.go', passed: 13 }] })
})

t.test('opens a tree inside of an image', async t => {
  const found = await findTestEngine()
  if (!unless(t, 'reason' in found ? found.reason : null) || 'reason' in found) return
  const text = 'import unittest\nclass A(unittest.TestCase):\n' + Array.from({ length: 12 }, (_, index) => `    def test_${index}(self): pass\n`).join('')
  const local = await open(repository({ 'a.py': '' }, { 'tests/__init__.py': '', 'tests/test_a.py': text }))
  const { arena: { image }, remove } = await makeArenaImage(found.docker, { ...local, path: [join(local.dir, 'env')] })
  const containers = await createSandboxes({ kind: 'docker', home })
  t.teardown(async () => {
    await containers.close()
    await remove()
  })
  const openImage = (target: string, options: Partial<OpenOptions> = {}): Promise<Arena> => openArena({ target, home, sandboxKind: 'docker', ...options }, { sandboxes: containers, clock: systemClock })
  const arena = await openImage(`docker:${image}#/testbed`)
  t.match(arena, { image, imagePath: '/testbed', runner: 'unittest', commit: local.commit, tree: local.tree, commits: 2, testFiles: [{ path: 'tests/test_a.py', passed: 12, failed: 0 }] })
  t.equal((await openImage(`docker:${image}#/testbed`)).id, arena.id)
  await t.rejects(openImage(`docker:${image}#/nowhere`), { code: 'ARENA_NOT_A_REPOSITORY' })
  await t.rejects(openImage('docker:spar-test-no-such-image#/testbed'), { code: 'ARENA_NO_SUCH_IMAGE', message: /docker pull/ })
  await t.rejects(openImage(`docker:${image}#/testbed`, { setup: 'true' }), { code: 'OPTION_SETUP' })
})
