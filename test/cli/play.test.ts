// Goal: a run loses and repeats nothing, whatever kills it, and the same seed gives the same bugs and rewards.
// Method: the real command line on a real published package, in real sandboxes; runs are killed in different stages and
// resumed, and compared with one that was left alone.

import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readArtifact } from '../../src/artifact/index.ts'
import { decodeRecord } from '../../src/rollout/record.ts'
import type { Sample } from '../../src/run/results.ts'
import type { RunSummary } from '../../src/run/summary.ts'
import { spar, type Ran } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

const target = 'npm:process-warning@4.0.0 - 5.0.0'
const options = ['--episodes', '3', '--group', '3', '--min-files', '1', '--min-passing', '5', '--sandbox', 'process', '--json']

/** What has to be the same whenever the same run is played. */
const essence = (summary: RunSummary): unknown => [
  summary.bugs.map(({ id, episode, order, files, f2p, p2p, dispatched, scored, solved, breakerReward }) => ({ id, episode, order, files, f2p, p2p, dispatched, scored, solved, breakerReward })),
  summary.rejected, summary.faults
]

const samplesOf = (out: string): Sample[] => readFileSync(join(out, 'samples.jsonl'), 'utf8').trim().split('\n').map(line => JSON.parse(line) as Sample)

t.test('spar play', { timeout: 900_000 }, async t => {
  const cwd = testFolder(t)
  const home = process.env['SPAR_TEST_HOME'] ?? join(cwd, 'home')
  const play = (name: string, more: string[], onErr?: Parameters<typeof spar>[1]['onErr']): Promise<Ran> =>
    spar(['play', target, ...options, '--out', join(cwd, name), ...more], { home, cwd, ...(onErr ? { onErr } : {}) })

  const first = await play('first', ['--jobs', '1'])
  t.equal(first.code, 0, first.err)
  const summary = first.json as RunSummary

  t.test('prints what scripts rely on, and keeps what it says', async t => {
    t.match(summary, { run: 'first', out: join(cwd, 'first'), arena: { target, runner: 'node:test' }, seed: 1, episodes: 3, bugs: Array, rejected: Object, ledger: Object })
    const { dispatched, settled, cancelled, quarantined } = summary.ledger
    t.equal(dispatched, settled + cancelled + quarantined, 'the ledger balances')
    t.ok(summary.bugs.length > 0, 'there are bugs')
    for (const bug of summary.bugs) {
      const { bug: read, manifest } = await readArtifact(join(cwd, 'first', 'bugs', bug.id))
      t.equal(read.id, bug.id)
      t.match(manifest, { verdict: { valid: true, f2p: bug.f2p }, seed: Number })
      t.ok(bug.f2p.length > 0 && bug.solved <= bug.scored && bug.scored <= bug.dispatched)
    }
  })

  t.test('every rollout is a sample with a trajectory, once', async t => {
    const samples = samplesOf(join(cwd, 'first'))
    t.equal(new Set(samples.map(sample => sample.rollout_id)).size, samples.length)
    t.equal(samples.filter(sample => sample.role === 'solver').length, summary.bugs.reduce((sum, bug) => sum + bug.dispatched, 0))
    for (const sample of samples) {
      const record = decodeRecord(readFileSync(join(cwd, 'first', sample.trajectory)))
      t.match(record, { schema_version: 1, rollout_id: sample.rollout_id, role: sample.role, untrainable: String })
      t.ok(record.messages.length > 0 && record.tool_calls.length > 0)
      t.equal(sample.group_size, samples.filter(({ role, group_id }) => role === sample.role && group_id === sample.group_id).length)
      if (sample.outcome !== 'scored' && sample.outcome !== 'policy_fault') t.equal(sample.reward, null)
    }
  })

  t.test('the same seed gives the same bugs and rewards with more jobs', async t => {
    const again = await play('again', ['--jobs', '3'])
    t.equal(again.code, 0, again.err)
    t.strictSame(essence(again.json), essence(summary))
  })

  t.test('kill -9 in any stage, then --resume, loses and repeats nothing', async t => {
    const stages = [/breaking/, /verifying/, /solving +○|solving +●/, /settling|done/]
    const out = join(cwd, 'killed')
    for (const [index, stage] of stages.entries()) {
      const seen = stage
      const ran = await play('killed', ['--jobs', '2', ...(index > 0 ? ['--resume'] : [])], (text, child) => { if (seen.test(text)) child.kill('SIGKILL') })
      t.ok(ran.signal === 'SIGKILL' || ran.code === 0, `stage ${index}: ${ran.err.slice(-300)}`)
    }
    const ended = await play('killed', ['--jobs', '2', '--resume'])
    t.equal(ended.code, 0, ended.err)
    t.strictSame(essence(ended.json), essence(summary))
    const samples = samplesOf(out).map(sample => sample.rollout_id)
    t.strictSame(samples, samplesOf(join(cwd, 'first')).map(sample => sample.rollout_id), 'every sample is there, and once')
    const { dispatched, settled, cancelled, quarantined } = (ended.json as RunSummary).ledger
    t.equal(dispatched, settled + cancelled + quarantined)
    t.equal(dispatched, summary.ledger.dispatched)
    // `layers` holds one copy of each arena for all of its sandboxes.
    t.strictSame(existsSync(join(home, 'sandboxes')) ? readdirSync(join(home, 'sandboxes')).filter(name => name !== 'layers') : [], [], 'no sandbox is left behind')
  })

  t.test('the records of a run play again, and give the same', async t => {
    const again = await play('replayed', ['--policy', `replay=${join(cwd, 'first')}`])
    t.equal(again.code, 0, again.err)
    t.strictSame(essence(again.json), essence(summary))
    const rollout = summary.bugs[0]!.episode.toString().padStart(4, '0')
    t.match(await spar(['show', join(cwd, 'replayed'), `e${rollout}.break`], { home, cwd }), { code: 0, out: /breaker \(replay, version 1\), scored[^]*not to be trained on[^]*--- turn 2 of/ })
    t.match(await spar(['show', join(cwd, 'replayed'), 'e9999.break'], { home, cwd }), { code: 2, err: /ROLLOUT_NOT_FOUND/ })
  })

  t.test('a run is not started over another, nor resumed with other options', async t => {
    t.match(await play('first', []), { code: 2, json: { error: { code: 'RUN_EXISTS' } } })
    t.match(await play('first', ['--resume', '--seed', '2']), { code: 64, json: { error: { code: 'OPTION_DIFFERS' } } })
    t.match(await play('none', ['--resume']), { code: 2, json: { error: { code: 'RUN_NOT_FOUND' } } })
  })

  t.test('verify, grade and show agree with the run', async t => {
    const bug = summary.bugs.find(bug => bug.order === 1)!
    const dir = join(cwd, 'first', 'bugs', bug.id)
    const verified = await spar(['verify', dir, '--json', '--sandbox', 'process'], { home, cwd })
    t.match(verified, { code: 0, json: { id: bug.id, valid: true, decided: true, failed: null, mode: 'strict' } }, verified.err)
    t.strictSame(verified.json.checks.map(({ name, verdict }: { name: string; verdict: string }) => `${name} ${verdict}`),
      ['files', 'parser', 'script', 'scope', 'bug', 'weaken', 'inverse', 'determinism'].map(name => `${name} pass`))
    const strict = await spar(['verify', dir, '--json', '--sandbox', 'process', '--min-failing', '1000'], { home, cwd })
    t.match(strict, { code: 1, json: { valid: false, failed: 'bug' } }, strict.err)
    for (const sample of samplesOf(join(cwd, 'first')).filter(sample => sample.bug_id === bug.id && sample.role === 'solver' && sample.outcome === 'scored').slice(0, 2)) {
      const graded = await spar(['grade', dir, join(cwd, 'first', 'attempts', `${sample.rollout_id}.diff`), '--json', '--sandbox', 'process'], { home, cwd })
      t.equal(graded.code, sample.solved ? 0 : 1, graded.err)
      t.equal(graded.json.solved, sample.solved)
    }
    t.match(await spar(['show', join(cwd, 'first')], { home, cwd }), { code: 0, out: new RegExp(bug.id) })
    t.match(await spar(['show', join(cwd, 'first'), bug.id], { home, cwd }), { code: 0, out: /determinism/ })
  })
})

t.test('bad input is refused with a code, and what to do', async t => {
  const cwd = testFolder(t, { empty: {}, notes: { 'a.txt': 'x' } })
  const home = join(cwd, 'home')
  const rows: [string[], number, RegExp][] = [
    [['play'], 64, /OPTION_MISSING/],
    [['play', 'a', 'b'], 64, /one target at a time/],
    [['play', join(cwd, 'empty')], 2, /ARENA_NOT_A_REPOSITORY/],
    [['play', join(cwd, 'nowhere')], 2, /ARENA_/],
    [['play', 'npm:process-warning@99'], 2, /ARENA_NO_RELEASES/],
    [['play', 'x', '--episodes', 'many'], 64, /--episodes "many"/],
    [['play', 'x', '--no-such-option'], 64, /no-such-option/],
    [['verify', join(cwd, 'notes')], 2, /ARTIFACT_MISSING_FILE/],
    [['verify', join(cwd, 'nowhere')], 2, /ARTIFACT_NOT_FOUND/],
    [['grade', join(cwd, 'notes')], 64, /OPTION_MISSING/],
    [['juggle'], 64, /there is no command "juggle"/],
    [[], 64, /Usage/]
  ]
  for (const [args, code, said] of rows) {
    const ran = await spar(args, { home, cwd })
    t.equal(ran.code, code, `spar ${args.join(' ')}: ${ran.err}`)
    t.match(ran.err + ran.out, said, `spar ${args.join(' ')}`)
    t.notMatch(ran.err, /^ +at .*\.js:\d+/m, 'no stack trace')
  }
})
