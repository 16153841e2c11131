// `npm run docs:machines`: writes docs/machines from the machines, and nothing else is left there.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { machineDocs } from './machines.ts'

const folder = 'docs/machines'
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
for (const [name, content] of await machineDocs()) writeFileSync(join(folder, name), content)
