// Goal: a simulation is decided by its seed alone, and is played as its help says. Method: the same seeds in two processes; the command.

import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { readTrace } from '../../src/inspect/trace-file.ts'
import { buildFailing } from '../helpers/failing-simulation.ts'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'
import { play } from './play.ts'

t.test('the same seed gives the same trace in another process', async t => {
  const [one, other] = await Promise.all([play(1, 10, { nodes: 3, episodes: 4 }), play(1, 10, { nodes: 3, episodes: 4 })])
  t.same(one, other)
  t.equal(new Set(one.map(({ hash }) => hash)).size, one.length, 'and another seed another one')
})

t.test('a seed that was played leaves nothing behind', { timeout: 300_000 }, async t => {
  const program = fileURLToPath(new URL('heap-after.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, '60'])
  const [first, last] = stdout.trim().split('\n').map(Number) as [number, number]
  t.ok(last - first < 50 * 200_000, `${first} bytes after 10 seeds, ${last} after 60`)
})

t.test('as a user plays it: a table, a trace on disk, the same hash again', async t => {
  const dir = testFolder(t)
  const argv = ['simulate', '--seed', '7', '--nodes', '2', '--episodes', '3', '--runs', '2']
  const at = { home: dir, cwd: dir }
  const shown = await spar([...argv, '--trace', join(dir, 'trace.jsonl')], at)
  t.equal(shown.code, 0)
  t.match(shown.out, /seed 7: run is (done|cancelled), run-2 is (done|cancelled), [0-9]+ episodes are settled/)
  const lines = readFileSync(join(dir, 'trace.jsonl'), 'utf8').trim().split('\n').map(line => JSON.parse(line) as { ms: number; who: string; what: string })
  t.ok(lines.some(({ what }) => what === 'queue.pull') && lines.some(({ what }) => what === 'faults are over'))
  const { hash } = (await spar([...argv, '--json'], at)).json as { hash: string }
  t.ok(shown.out.includes(hash), 'the trace is no part of what is hashed')
})

t.test('what breaks a rule leaves the timeline of the least that does', async t => {
  const dir = testFolder(t)
  const failing = await buildFailing(dir, 'a bug that nobody solves is rewarded')
  const broken = async (file: string): Promise<{ who: string[]; rules: string[]; lines: number }> => {
    const { who, what, lines } = await readTrace(join(dir, file))
    return { who, rules: lines.what.filter((_, index) => who[lines.who[index]!] === 'checker').map(word => what[word]!), lines: lines.who.length }
  }
  const argv = ['--seed', '3', '--nodes', '3', '--episodes', '4', '--runs', '2', '--faults', 'none']
  const shrunk = await failing.run(argv)
  t.equal(shrunk.code, 1)
  t.match(shrunk.out, /seed 3 breaks rewards[^]*the least that fails[^]*1 nodes[^]*out\/simulate-3\.jsonl: spar inspect --trace out\/simulate-3\.jsonl/)
  const least = await broken('out/simulate-3.jsonl')
  t.ok(least.rules.includes('rewards') && !least.who.some(name => name.startsWith('n2')), 'of the least')
  const whole = await failing.run([...argv, '--no-shrink'])
  t.equal(whole.code, 1)
  const seed = await broken('out/simulate-3.jsonl')
  t.ok(seed.rules.includes('rewards') && seed.who.some(name => name.startsWith('n3')) && seed.lines > least.lines, 'of the seed itself')
  const named = await failing.run([...argv, '--no-shrink', '--trace', 't.jsonl'])
  t.match(named.out, /spar inspect --trace t\.jsonl/)
  t.same(await broken('t.jsonl'), seed)
  t.match(await failing.run([...argv, '--no-shrink', '--trace', 'none/t.jsonl']), { code: 1, err: /TRACE_UNWRITABLE/ })
})

t.test('what cannot be played is refused by name', async t => {
  const dir = testFolder(t)
  const at = { home: dir, cwd: dir }
  const cases: [string, string, string][] = [
    ['{"chances": {"los": 1}}', 'FAULTS_INVALID', 'chances has no "los"'],
    ['{"rates": {"outage": -1}}', 'FAULTS_INVALID', 'rates.outage takes a number from 0'],
    ['{"chances": {"loss": 2}}', 'FAULTS_INVALID', 'to 1'],
    ['{"shapes": {"downMsMin": 0}}', 'FAULTS_INVALID', 'downMsMin takes a number from 1'],
    ['nothing', 'FAULTS_INVALID', 'no JSON']
  ]
  for (const [text, code, why] of cases) {
    writeFileSync(join(dir, 'faults.json'), text)
    const { code: exit, err } = await spar(['simulate', '--faults', join(dir, 'faults.json')], at)
    t.equal(exit, 2)
    t.ok(err.includes(code) && err.includes(why), err)
  }
  for (const argv of [['--faults', 'some'], ['--without', 'rain'], ['--seed', '-1'], ['--seeds', '2', '--trace', 'x'], ['--episodes', '2', '--runs', '3']]) {
    const { code, err } = await spar(['simulate', ...argv], at)
    t.equal(code, 64, err)
    t.match(err, /OPTION_INVALID/)
  }
})
