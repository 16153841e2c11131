// The attacks, against process sandboxes in each isolation that promises walls.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

import { createProcessSandboxes, type ProcessSandboxes } from '../../../src/sandbox/process/index.ts'
import { makeArenaFolder } from '../../helpers/sandbox-fixture.ts'
import { testFolder } from '../../helpers/test-folder.ts'
import { escapeSuite } from './suite.ts'

for (const isolation of ['bubblewrap', 'namespaces'] as const) {
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
    t.teardown(() => sandboxes.close())
    escapeSuite(t, { sandboxes, arena: makeArenaFolder(folder), isolation, folder, holdsMemory: sandboxes.report.cgroups !== null, leftOf: ({ id }) => [join(home, 'sandboxes', id)].filter(path => existsSync(path)) })
  })
}
