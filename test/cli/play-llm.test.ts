// Goal: models play both roles from the command line to settled rewards, with tokens that can be trained on, and what goes
// wrong on the way to a server is never a reward. Method: a model that plays by a script behind a server that speaks each
// protocol, on a real repository in real sandboxes.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Verdict } from '../../src/domain.ts'
import { serverLimits } from '../../src/policy/llm/servers/limits.ts'
import { decodeRecord } from '../../src/rollout/record.ts'
import type { Sample } from '../../src/run/results.ts'
import type { RunSummary } from '../../src/run/summary.ts'
import { startFakeServer, type FakeServerOptions } from '../helpers/fake-server.ts'
import { status } from '../helpers/fake-server/faults.ts'
import { makeScriptedRepository, scriptedReply } from '../helpers/scripted-model.ts'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

const samplesOf = (out: string): Sample[] => readFileSync(join(out, 'samples.jsonl'), 'utf8').trim().split('\n').map(line => JSON.parse(line) as Sample)

/** Attempts begin one after the other, so they are counted as they begin; a later turn says itself which kind it is of. */
function model (parserLies = false): NonNullable<FakeServerOptions['reply']> {
  let attempts = 0
  return conversation => ({ content: scriptedReply([...conversation], () => {
    const begun = conversation.filter(({ role }) => role === 'assistant').map(({ content }) => content).join('')
    return begun === '' ? attempts++ : begun.includes('I think') ? 2 : 0
  }, parserLies) })
}

t.test('models play both roles', { timeout: 600_000 }, async t => {
  const cwd = testFolder(t)
  const home = join(cwd, 'home')
  const repository = makeScriptedRepository(join(cwd, 'numbers'))
  const play = (name: string, url: string, protocol: string, more: string[] = [], env: Record<string, string> = {}): ReturnType<typeof spar> => spar([
    'play', repository, '--episodes', '1', '--group', '6', '--max-order', '1', '--min-files', '1', '--sandbox', 'process', '--jobs', '1', '--json',
    '--policy', `${protocol}=${url}`, '--model', 'fake', '--max-turns', '12', '--tools', 'text', '--out', join(cwd, name), ...more], { home, cwd, env })

  for (const [protocol, kind] of [['openai', 'vllm'], ['vllm', 'vllm'], ['sglang', 'sglang']] as const) {
    t.test(`over ${protocol}`, async t => {
      const server = await startFakeServer({ kind, reply: model(), contextTokensMax: 200_000, ...(kind === 'sglang' ? { tokenizesMessages: true } : {}) })
      t.teardown(() => server.close())
      const ran = await play(protocol, server.url, protocol)
      t.equal(ran.code, 0, ran.err)
      const summary = ran.json as RunSummary
      t.match(summary.bugs, [{ files: ['numbers.js'], f2p: ['test/numbers.test.js::clamp'], dispatched: 6, scored: 6, solved: 2 }])
      t.match(samplesOf(join(cwd, protocol)).filter(sample => sample.role === 'solver').map(({ outcome, reward }) => [outcome, reward]),
        [['scored', 1], ['scored', -1], ['policy_fault', -1], ['scored', 1], ['scored', -1], ['policy_fault', -1]])
      for (const sample of samplesOf(join(cwd, protocol))) {
        const { calls, segments, untrainable } = decodeRecord(readFileSync(join(cwd, protocol, sample.trajectory)))
        t.equal(untrainable, null)
        t.equal(segments.length, 1, 'nothing was encoded again')
        t.ok(calls.every(call => call.error === null && call.segment === 0))
      }
    })
  }

  t.test('roles are mixed, and a text-only server is played with but not trained on', async t => {
    const server = await startFakeServer({ kind: 'generic', reply: model() })
    t.teardown(() => server.close())
    const budgets = ['--max-turns', 'breaker=40,solver=11', '--max-seconds', 'solver=77', '--policy-version', 'step-7']
    const ran = await play('mixed', server.url, 'openai', ['--breaker', 'procedural', '--min-passing', '5', ...budgets])
    t.equal(ran.code, 0, ran.err)
    t.match(JSON.stringify(server.turns[0]!.body), /11 turns/, 'budgets are those of the role')
    t.match(JSON.stringify(server.turns.map(({ body }) => body)), /\[exit code \d+; left: 10 turns, \d+ tokens, 7[0-7] s of commands\]/)
    t.match(JSON.parse(readFileSync(join(cwd, 'mixed', 'run.json'), 'utf8')), { options: { turnsMax: { breaker: 40, solver: 11 }, commandsMsMax: { breaker: 1_800_000, solver: 77_000 }, policyVersion: 'step-7' } })
    t.match(await spar(['play', '--resume', '--out', join(cwd, 'mixed'), '--max-turns', 'breaker=40,solver=12'], { home, cwd }), { code: 64, err: /another turnsMax of the solver: it was started with 11/ })
    t.match(await spar(['play', '--resume', '--out', join(cwd, 'mixed'), '--max-turns', 'solver=11', '--policy-version', 'step-8', '--json'], { home, cwd }), { code: 0 })
    const samples = samplesOf(join(cwd, 'mixed'))
    t.ok(samples.some(sample => sample.policy.name === 'procedural-breaker'))
    for (const sample of samples.filter(sample => sample.role === 'solver')) t.match(decodeRecord(readFileSync(join(cwd, 'mixed', sample.trajectory))), { untrainable: /token ids/, policy: { version_start: 'step-7', version_end: 'step-7' } })
  })

  t.test('a server that fails is no reward: the rollout is issued again', async t => {
    const key = 'sk-hunter2-0123456789'
    const server = await startFakeServer({ kind: 'vllm', reply: model(), contextTokensMax: 200_000, keys: [key] })
    t.teardown(() => server.close())
    server.fail(...Array.from({ length: serverLimits.triesMax }, () => status(503, { error: { message: `the key ${key} is at its limit` } })))
    const ran = await play('faults', server.url, 'openai', [], { SPAR_API_KEY: key })
    t.equal(ran.code, 0, ran.err)
    t.match(ran.err, /is issued again/)
    const kept = readdirSync(join(cwd, 'faults'), { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).map(entry => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    t.ok(kept.length > 20)
    for (const text of [...kept, ran.out, ran.err]) t.notMatch(text, key, 'the key is in no log and in no record')
    const wrong = await play('keyless', server.url, 'openai', [], { SPAR_API_KEY: 'sk-other' })
    t.match(wrong, { code: 2, err: /status 401.*Check the key in the environment \[SERVER_REFUSED\]/ })
    t.notMatch(wrong.err + wrong.out, 'sk-other')
    t.match((ran.json as RunSummary).bugs, [{ dispatched: 6, scored: 6, solved: 2 }])
    t.same((ran.json as RunSummary).faults, {})
  })

  t.test('a parser that leaves out a test is found out, though it does so every time', async t => {
    const server = await startFakeServer({ kind: 'vllm', reply: model(true), contextTokensMax: 200_000 })
    t.teardown(() => server.close())
    const ran = await play('liar', server.url, 'openai')
    t.match(ran, { code: 0, json: { bugs: [], rejected: { parser: 1 } } }, ran.err)
    const { checks } = JSON.parse(readFileSync(join(cwd, 'liar', 'results', 'e0001.verify.json'), 'utf8')) as Verdict
    t.match(checks.find(({ name }) => name === 'parser'), { verdict: 'fail', reason: /clean log .*leaves out.*half/, evidence: { parser: { 'test/numbers.test.js::add': 'passed' }, reader: { results: { half: 'passed' } } } })
  })

  t.test('a wrong address, model or option is told before anything is played', async t => {
    t.match(await play('none', 'http://127.0.0.1:9', 'openai'), { code: 2, err: /SERVER_DOWN/ })
    const other = await startFakeServer({ models: { ids: ['Qwen/Qwen3'] } })
    t.teardown(() => other.close())
    for (const protocol of ['openai', 'vllm']) t.match(await play('other', other.url, protocol), { code: 64, err: /the model "fake": http:\S+ serves "Qwen\/Qwen3".*\[OPTION_MODEL\]/ })
    t.match(await spar(['play', repository, '--policy', 'openai=http://127.0.0.1:9', '--json'], { home, cwd }), { err: /--model/ })
    t.match(await spar(['play', repository, '--policy', 'openai=http://user:secret@127.0.0.1:9', '--model', 'x', '--json'], { home, cwd }), { code: 64, err: /SPAR_API_KEY/ })
    t.match(await spar(['play', repository, '--solver', 'magic'], { home, cwd }), { code: 64, err: /--solver "magic"/ })
  })
})
