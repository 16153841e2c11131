// The attacks, against process sandboxes in each isolation that promises walls.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

import { makeArenaFolder, openIsolation } from '../../helpers/sandbox-fixture.ts'
import { testFolder } from '../../helpers/test-folder.ts'
import { escapeSuite } from './suite.ts'

for (const isolation of ['bubblewrap', 'namespaces'] as const) {
  t.test(isolation, async t => {
    const folder = testFolder(t)
    const home = join(folder, 'home')
    const sandboxes = await openIsolation(t, home, isolation)
    if (sandboxes === null) return
    escapeSuite(t, { sandboxes, arena: makeArenaFolder(folder), isolation, folder, holdsMemory: sandboxes.report.cgroups !== null, leftOf: ({ id }) => [join(home, 'sandboxes', id)].filter(path => existsSync(path)) })
  })
}
