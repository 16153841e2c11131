// Goal: `spar/testlog` is there for users of the package, and brings nothing but itself.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import * as door from '../../../src/workers/testlog/index.ts'

t.test('the package exports the readers', async t => {
  const name = 'spar/testlog'
  const { readTestLog } = await import(name) as typeof door
  const { tests } = readTestLog(new TextEncoder().encode('ok 1 - a\n1..1\n'), { runner: 'tap' })
  t.same([...tests], [['a', 'passed']])
})

t.test('the readers import no pool, no files, no packages', async t => {
  const folder = join(process.cwd(), 'src/workers/testlog')
  for (const file of readdirSync(folder)) {
    for (const [, name] of readFileSync(join(folder, file), 'utf8').matchAll(/ from '([^']+)'/g)) t.match(name, /^(\.\/[\w-]+\.ts|\.\.\/\.\.\/errors\.ts|spar\/testlog)$/, `${file} imports ${name}`)
  }
})
