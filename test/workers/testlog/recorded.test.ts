// Goal: of every recorded log exactly the tests that ran, with what became of them. Method: see support.ts; and for the
// logs of Spar's own scripts, the map of the parser that is kept with such a script.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runners } from '../../../src/arena/runners/index.ts'
import { readTestLog, toTestMap, type LogRunner } from '../../../src/workers/testlog/index.ts'
import { parse } from '../../arena/support.ts'
import { logs, plain, recorded, sorted } from './support.ts'
import { testFolder } from '../../helpers/test-folder.ts'

for (const { name, log, options, tests, suites, problems } of recorded()) {
  t.test(`reads ${name}`, async t => {
    t.same(plain(readTestLog(log, options)), { tests: sorted(Object.entries(tests)), suites: sorted(Object.entries(suites)), problems })
  })
}

t.test("agrees with the parsers of Spar's own scripts", async t => {
  const names: [keyof typeof runners, LogRunner][] = [['pytest', 'pytest'], ['unittest', 'unittest'], ['node:test', 'node'], ['tap', 'tap'], ['tape', 'tape'],
    ['mocha', 'mocha'], ['jest', 'jest'], ['vitest', 'vitest'], ['go test', 'go']]
  t.equal(readdirSync(join(logs, 'launcher')).length, names.length)
  for (const [script, runner] of names) {
    const log = readFileSync(join(logs, 'launcher', `${script.replace(/\W/g, '-')}.log`))
    const { results, complaint } = parse(runners[script], log, testFolder(t))
    t.ok(Object.keys(results).length > 3, `${script}: ${complaint}`)
    t.same(sorted(Object.entries(toTestMap(readTestLog(log, { runner })))), sorted(Object.entries(results)), script)
  }
})
