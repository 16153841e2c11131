// Goal: the bash library tries candidates in the real shell without ever leaving a losing one in the tree.
// Method: a test script that greps the file stands for a test suite.

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { batchCommand, readRun, readTrials, runCommand, trialLibrary, type Trial } from '../../../../src/policy/procedural/solver/trials.ts'
import { testFolder } from '../../../helpers/test-folder.ts'

const source = 'const grüße = "x"\r\nreturn a - b\r\n'

const candidate = (index: number, from: string, text: string): Trial =>
  ({ index, path: "it's code.js", text: source, edit: { start: source.indexOf(from), end: source.indexOf(from) + from.length, text } })

interface Bench { try (best: number, ...trials: Trial[]): ReturnType<typeof readTrials>; run (): ReturnType<typeof readRun>; code (): string }

function bench (dir: string, tests: string): Bench {
  const scratch = join(dir, "scra'tch")
  const paths = { library: join(scratch, 'library.sh'), tests: join(scratch, 'tests.sh') }
  writeFileSync(paths.tests, tests)
  writeFileSync(paths.library, trialLibrary({ scratch, parser: 'tail -n 1', cpuSeconds: 5, wallSeconds: 2 }))
  const bash = (command: string): string => spawnSync('bash', ['-c', command], { cwd: join(dir, 'tree'), encoding: 'utf8' }).stdout
  return {
    try: (best, ...trials) => readTrials(bash(batchCommand(paths.library, paths.tests, 'map', best, trials))),
    run: () => readRun(bash(runCommand(paths.library, paths.tests, 1000))),
    code: () => readFileSync(join(dir, 'tree', "it's code.js"), 'utf8')
  }
}

const folders = { tree: { "it's code.js": source }, "scra'tch": {} }
// The second name holds what a careless count would take for a result.
const adds = `if grep -q 'a + b' *.js; then echo '{"adds":"passed","prints \\": \\"passed\\"": "passed"}'; else echo '{"adds": "failed", "prints \\": \\"passed\\"":"passed"}'; fi`

t.test('the first improvement stays, what lost before it is undone, what follows is not tried', async t => {
  const played = bench(testFolder(t, folders), adds)
  const results = played.try(1, candidate(0, '-', '*'), candidate(1, '"x"', "'$(touch x) `y` \\n'"), candidate(2, '-', '+'), candidate(3, 'a', 'b'))
  t.strictSame(results.map(({ index, passed, failed, won }) => [index, passed, failed, won]), [[0, 1, 1, false], [1, 1, 1, false], [2, 2, 0, true]])
  t.equal(played.code(), source.replace('-', '+'))
  t.strictSame(played.run().results, { adds: 'passed', 'prints ": "passed"': 'passed' })
})

t.test('without an improvement the file is as it was, byte for byte', async t => {
  const played = bench(testFolder(t, folders), adds)
  t.strictSame(played.try(1, candidate(0, 'grüße', 'ß')).map(({ won }) => won), [false])
  t.equal(played.code(), source)
})

t.test('a candidate that hangs is cut and passes nothing', async t => {
  const played = bench(testFolder(t, folders), `if grep -q 'a + b' *.js; then sleep 1000; fi; ${adds}`)
  t.strictSame(played.try(1, candidate(0, '-', '+')), [{ index: 0, passed: 0, failed: 0, won: false }])
  t.equal(played.code(), source)
})
