// Goal: a run that was left alone follows from its folder, also in new sandboxes, and each thing that is changed in it is named.
// Method: a real run on a real package; copies of it with one thing changed each.

import { cpSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Grade, Verdict } from '../../src/domain.ts'
import type { Difference } from '../../src/reverify/index.ts'
import type { Sample } from '../../src/run/results.ts'
import type { RunSummary } from '../../src/run/summary.ts'
import { spar, type Ran } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

const target = 'npm:process-warning@4.0.0 - 5.0.0'

t.test('spar reverify', { timeout: 900_000 }, async t => {
  const cwd = testFolder(t)
  const home = process.env['SPAR_TEST_HOME'] ?? join(cwd, 'home')
  const run = join(cwd, 'run')
  const reverify = (dir: string, ...more: string[]): Promise<Ran> => spar(['reverify', dir, '--json', ...more], { home, cwd })
  const played = await spar(['play', target, '--episodes', '3', '--group', '3', '--min-files', '1', '--min-passing', '5', '--sandbox', 'process', '--out', run, '--json'], { home, cwd })
  t.equal(played.code, 0, played.err)
  const { bugs } = played.json as RunSummary
  const file = 'samples.jsonl'
  const samplesOf = (path: string): Sample[] => readFileSync(path, 'utf8').trim().split('\n').map(line => JSON.parse(line) as Sample)
  const samples = samplesOf(join(run, file))
  const left = readdirSync(run, { recursive: true })

  let copies = 0
  /** What is found in a copy of the run that was changed. */
  const found = async (change: (dir: string) => void, ...more: string[]): Promise<Difference[]> => {
    const dir = join(cwd, `copy-${++copies}`)
    cpSync(run, dir, { recursive: true })
    change(dir)
    const ran = await reverify(dir, ...more)
    t.equal(ran.code, 1, ran.err)
    return ran.json.differences as Difference[]
  }
  const changeJson = <Value> (path: string, change: (value: Value) => void) => (dir: string): void => {
    const value = JSON.parse(readFileSync(join(dir, path), 'utf8')) as Value
    change(value)
    writeFileSync(join(dir, path), JSON.stringify(value))
  }
  const changeSamples = (change: (samples: Sample[]) => Sample[]) => (dir: string): void => {
    writeFileSync(join(dir, file), change(samplesOf(join(dir, file))).map(sample => JSON.stringify(sample) + '\n').join(''))
  }
  const valid = bugs.find(({ order }) => order === 1)!
  const episode = `e${String(valid.episode).padStart(4, '0')}`
  const graded = samples.find(({ role, outcome, episode_id: id }) => role === 'solver' && outcome === 'scored' && id === episode)!
  const grade = graded.rollout_id.replace('solve', 'grade')

  t.test('a run that was left alone follows', async t => {
    const ran = await reverify(run)
    t.match(ran, { code: 0, json: { run: 'run', episodes: 3, unsettled: [], differences: [], rerun: null, wrote: null, checked: { sample: samples.length }, rewards: { breaker: { samples: 3, rewards: 0, advantages: 0 } } } }, ran.err)
    t.match(await spar(['reverify', run], { home, cwd }), { code: 0, out: /sample +\d+ +0\n[^]*All of it follows\./ })
  })

  t.test('what was changed is named', async t => {
    const paid = samples.find(({ reward }) => reward !== null)!
    const one = changeSamples(all => all.map(sample => sample.rollout_id === paid.rollout_id ? { ...sample, reward: 0.123 } : sample))
    t.match(await found(one), [{ kind: 'sample', work: paid.rollout_id, field: 'reward', stored: 0.123, recomputed: paid.reward }])
    t.match(await found(changeSamples(all => all.filter(({ rollout_id: id }) => id !== paid.rollout_id))), [{ work: paid.rollout_id, field: 'lines', stored: 0, recomputed: 1 }])
    t.match(await found(changeSamples(all => [...all, paid])), [{ work: paid.rollout_id, field: 'lines', stored: 2, recomputed: 1 }])
    t.match(await found(changeSamples(all => [...all, { ...paid, rollout_id: 'e0009.break', episode_id: 'e0009' }])), [{ work: 'e0009.break', field: 'lines', stored: 1, recomputed: 0 }])
    t.match(await found(changeSamples(all => all.map(sample => sample.role === 'breaker' ? { ...sample, advantage: 7 } : sample))), Array(3).fill({ field: 'advantage', stored: 7 }))

    const check = changeJson<Verdict>(`results/${episode}.verify.json`, verdict => { verdict.checks.find(({ name }) => name === 'weaken')!.verdict = 'fail' })
    t.match(await found(check), [{ kind: 'verdict', by: 'evidence', work: `${episode}.verify`, field: 'check weaken', stored: 'fail', recomputed: 'pass' }])
    const solved = changeJson<{ grade: Grade }>(`results/${grade}.json`, ({ grade }) => { Object.assign(grade, { solved: !graded.solved, outcome: graded.solved ? 'failing' : 'solved' }) })
    t.match(await found(solved), [{ kind: 'grade', work: grade, field: 'solved', stored: !graded.solved, recomputed: graded.solved }, { work: grade, field: 'outcome' }])

    const artifact = `bugs/${valid.id}`
    t.match(await found(dir => writeFileSync(join(dir, artifact, 'test_script.sh'), 'true\n')), [{ kind: 'artifact', work: artifact, field: 'id', stored: valid.id, recomputed: /^bug-/ }])
    t.match(await found(dir => rmSync(join(dir, 'submissions', `${episode}.break`, 'test_parser.js'))), [{ kind: 'artifact', work: `submissions/${episode}.break`, recomputed: /ARTIFACT_MISSING_FILE/ }])
  })

  t.test('infrastructure is never paid', async t => {
    // The grade is gone, so that nothing is known of the attempt; its sample is paid all the same.
    const differences = await found(dir => rmSync(join(dir, 'results', `${grade}.json`)))
    t.match(differences.find(({ work, field }) => work === graded.rollout_id && field === 'reward'), { stored: graded.reward, recomputed: null })
    t.match(differences.find(({ work, field }) => work === graded.rollout_id && field === 'outcome'), { stored: 'scored', recomputed: 'infra_fault' })
  })

  t.test('another rule gives other rewards, and touches nothing', async t => {
    const ran = await reverify(run, '--alpha', '0.5', '--min-scored', '1', '--write', 'other.jsonl')
    t.match(ran, { code: 0, json: { differences: [], wrote: 'other.jsonl', rule: { before: { alpha: 0.8, minScored: 4 }, after: { alpha: 0.5, minScored: 1 } }, rewards: { solver: { rewards: 0, advantages: 0 } } } }, ran.err)
    const other = samplesOf(join(cwd, 'other.jsonl'))
    t.strictSame(other.map(({ rollout_id: id }) => id), samples.map(({ rollout_id: id }) => id))
    for (const { order, scored, solved, episode } of bugs) {
      if (order > 1) continue
      const s = solved / scored
      const { reward } = other.find(({ role, member_index: number }) => role === 'breaker' && number === episode)!
      t.ok(Math.abs(reward! - (s === 0 || s === 1 ? -0.5 : 1 - 1.5 * s)) < 1e-9, `${solved} of ${scored}: ${reward}`)
    }
    t.strictSame(samplesOf(join(run, file)), samples)
    t.strictSame(readdirSync(run, { recursive: true }), left)
    t.match(await reverify(run, '--write', join(run, file)), { code: 64, json: { error: { code: 'OPTION_INVALID' } } })
  })

  t.test('verdicts and grades come out the same in new sandboxes, and one that was changed does not', async t => {
    const works = readdirSync(join(run, 'results')).filter(name => /\.(verify|grade)\b/.test(name)).length
    const all = await reverify(run, '--rerun', 'all', '--sandbox', 'process')
    t.match(all, { code: 0, json: { differences: [], rerun: { seed: 1, same: works, differing: 0, undecided: [] } } }, all.err)
    t.equal(all.err.trim().split('\n').length, works, 'each is told when it is done')
    const two = await reverify(run, '--rerun', '2', '--seed', '3', '--sandbox', 'process')
    t.match(two, { code: 0, json: { rerun: { same: 2 } } }, two.err)

    const spoil = changeJson<Verdict>(`results/${episode}.verify.json`, verdict => { verdict.f2p = verdict.f2p.slice(1) })
    t.match((await found(spoil, '--rerun', 'all', '--sandbox', 'process')).filter(({ by }) => by === 'rerun'), [{ work: `${episode}.verify`, field: 'f2p', recomputed: valid.f2p }])
  })

  t.test('a grader that says something else now needs no new rollout', async t => {
    const changed = changeJson<{ grade: Grade }>(`results/${grade}.json`, ({ grade }) => { Object.assign(grade, { solved: false, outcome: 'crashed', missing: [], failing: [], evidence: { run: { ...grade.evidence['run'] as object, results: null, passed: 0, failed: 0 } } }) })
    const differences = await found(changed, '--rerun', 'all', '--sandbox', 'process', '--write', 'regraded.jsonl')
    t.match(differences.filter(({ by, field }) => by === 'rerun' && field === 'outcome'), [{ work: grade, stored: 'crashed', recomputed: graded.solved ? 'solved' : 'failing' }])
    t.strictSame(samplesOf(join(cwd, 'regraded.jsonl')).map(({ reward, advantage }) => [reward, advantage]), samples.map(({ reward, advantage }) => [reward, advantage]))
  })

  t.test('what cannot be done is said', async t => {
    const { arena } = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8')) as { arena: { dir: string } }
    t.ok(existsSync(arena.dir))
    const elsewhere = join(cwd, 'elsewhere')
    cpSync(run, elsewhere, { recursive: true })
    changeJson<{ arena: { dir: string } }>('run.json', value => { value.arena.dir = join(cwd, 'gone') })(elsewhere)
    t.match(await reverify(elsewhere), { code: 0 })
    t.match(await spar(['reverify', elsewhere, '--rerun', '1', '--json'], { home: join(cwd, 'other home'), cwd }), { code: 2, json: { error: { code: 'ARENA_GONE', message: /spar arena add/ } } })
    // The same arena, wherever this machine has it.
    t.match(await reverify(elsewhere, '--rerun', '1', '--sandbox', 'process'), { code: 0 })
    t.match(await reverify(cwd), { code: 2, json: { error: { code: 'RUN_NOT_FOUND' } } })
    changeJson<{ schema_version: number }>('run.json', value => { value.schema_version = 99 })(elsewhere)
    t.match(await reverify(elsewhere), { code: 2, json: { error: { code: 'RUN_SCHEMA_NEWER' } } })
    t.match(await reverify(run, '--rerun', 'some'), { code: 64, json: { error: { code: 'OPTION_INVALID' } } })
  })

  t.test('an episode that has not settled is left out', async t => {
    const dir = join(cwd, 'unsettled')
    cpSync(run, dir, { recursive: true })
    renameSync(join(dir, 'results', 'e0003.settle.json'), join(cwd, 'e0003.settle.json'))
    rmSync(join(dir, 'summary.json'))
    changeSamples(all => all.map(sample => sample.role === 'breaker' ? { ...sample, advantage: null } : sample))(dir)
    t.match(await reverify(dir), { code: 0, json: { episodes: 2, unsettled: ['e0003'], differences: [] } })
  })
})
