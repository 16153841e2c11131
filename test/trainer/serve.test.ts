// Goal: the trainer's own inference server is one that Spar plays with, and what comes of it can be trained on. Method: the real
// server with a tiny model of random weights, over each protocol, in real sandboxes. Such a model says nothing of sense: its
// rollouts end as its own faults, and the tokens, masks, logprobs and versions in their records are what is looked at.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { decodeRecord, type RolloutRecord } from '../../src/rollout/record.ts'
import type { Sample } from '../../src/run/results.ts'
import type { RunSummary } from '../../src/run/summary.ts'
import { makeScriptedRepository } from '../helpers/scripted-model.ts'
import { spar, type Ran } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'
import { skipWithoutTrainer, spawnTrainer } from '../helpers/trainer-python.ts'

async function ended (child: ReturnType<typeof spawnTrainer>): Promise<number | null> {
  return child.exitCode ?? await new Promise(resolve => { child.once('close', resolve) })
}

async function makeModel (folder: string, seed: number): Promise<string> {
  const child = spawnTrainer(['-m', 'tests.tiny_model', folder, String(seed)])
  child.stdout.resume()
  let said = ''
  child.stderr.on('data', (bytes: Buffer) => { said += bytes.toString() })
  if (await ended(child) !== 0) throw new Error(`no model was made: ${said}`)
  return folder
}

async function startServe (t: Test, model: string): Promise<string> {
  const child = spawnTrainer(['-m', 'spar_trainer.serve', '--model', model, '--name', 'tiny', '--weight-version', 'v1', '--port', '0', '--json'])
  let said = ''
  child.stderr.on('data', (bytes: Buffer) => { said += bytes.toString() })
  t.teardown(async () => {
    child.kill('SIGTERM')
    const code = await ended(child)
    if (code !== 0) throw new Error(`the server ended with ${code}: ${said}`)
  })
  const { done, value } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
  if (done === true) throw new Error(`the server has ended: ${said}`)
  return (JSON.parse(value as string) as { url: string }).url
}

interface Played { sample: Sample; record: RolloutRecord }

const readPlayed = (out: string): Played[] => readFileSync(join(out, 'samples.jsonl'), 'utf8').trim().split('\n')
  .map(line => JSON.parse(line) as Sample)
  .filter(({ policy }) => policy.name === 'tiny')
  .map(sample => ({ sample, record: decodeRecord(readFileSync(join(out, sample.trajectory))) }))

function checkTrainable (t: Test, { sample, record }: Played, version: string): void {
  const name = sample.rollout_id
  t.match(sample, { outcome: 'policy_fault', reward: -1 }, `${name} ends by the model's own doing: ${sample.reason}`)
  t.equal(record.untrainable, null, `${name} can be trained on`)
  t.ok(record.calls.length > 0)
  t.ok(record.calls.every(call => call.error === null && call.segment === 0), `${name} has one segment: nothing was encoded again`)
  const [segment] = record.segments
  const drawn = record.calls.reduce((sum, call) => sum + call.completion_tokens!, 0)
  t.equal(segment!.mask.reduce((sum: number, bit) => sum + bit, 0), drawn, `${name} has every token that was drawn in its mask`)
  t.equal(segment!.logprobs?.length, segment!.token_ids.length)
  t.ok([...segment!.mask].every((bit, at) => bit === 0 || (segment!.logprobs![at]! < 0 && Number.isFinite(segment!.logprobs![at]))), `${name} has their logprobs`)
  t.same(segment!.policy_versions, [{ version, tokens: segment!.token_ids.length }], `${name} has the version of their weights`)
}

t.test('Spar plays with the trainer\'s server', { skip: skipWithoutTrainer(), timeout: 600_000 }, async t => {
  const cwd = testFolder(t)
  const home = join(cwd, 'home')
  const repository = makeScriptedRepository(join(cwd, 'numbers'))
  const model = await makeModel(join(cwd, 'one'), 1)
  const other = await makeModel(join(cwd, 'two'), 2)
  const url = await startServe(t, model)
  const play = (name: string, ...more: string[]): Promise<Ran> => spar(['play', repository, '--episodes', '1', '--group', '3', '--max-order', '1', '--min-files', '1', '--min-passing', '5', '--sandbox', 'process', '--jobs', '3', '--json',
    '--model', 'tiny', '--max-tokens', '40', '--tools', 'text', '--out', join(cwd, name), ...more], { home, cwd })

  t.test('over sglang, with the version in every answer', async t => {
    const ran = await play('sglang', '--policy', `sglang=${url}`)
    t.equal(ran.code, 0, ran.err)
    const played = readPlayed(join(cwd, 'sglang'))
    t.ok(played.length > 0)
    for (const one of played) checkTrainable(t, one, 'v1')
  })

  for (const [protocol, more] of [['vllm', []], ['openai', ['--tools', 'text']]] as const) {
    t.test(`over ${protocol}, which is told the version`, async t => {
      const ran = await play(protocol, '--policy', `${protocol}=${url}`, '--policy-version', 'v1', ...more)
      t.equal(ran.code, 0, ran.err)
      const played = readPlayed(join(cwd, protocol))
      t.ok(played.length > 0)
      for (const { sample, record } of played) {
        t.match(sample, { outcome: 'policy_fault', reward: -1 })
        t.equal(record.untrainable, null)
        t.ok(record.segments.every(({ token_ids: ids, mask, logprobs }) => mask.length === ids.length && logprobs?.length === ids.length))
        t.ok(record.calls.every(call => call.error === null))
      }
    })
  }

  t.test('a group of attempts at a real bug reads its prompt from the cache, and new weights have their name in the records', async t => {
    const answer = await fetch(`${url}/update_weights_from_disk`, { method: 'POST', body: JSON.stringify({ model_path: other, weight_version: 'v2' }) })
    t.match(await answer.json(), { success: true, weight_version: 'v2' })
    // Budgets are those of both roles, and the procedural breaker needs room.
    const ran = await play('solver', '--breaker', 'procedural', '--solver', `sglang=${url}`, '--max-turns', '40')
    t.equal(ran.code, 0, ran.err)
    t.match((ran.json as RunSummary).bugs, [{ dispatched: 3, scored: 3, solved: 0 }])
    const played = readPlayed(join(cwd, 'solver'))
    t.equal(played.length, 3)
    for (const one of played) checkTrainable(t, one, 'v2')
    t.ok(played.flatMap(({ record }) => record.calls).filter(call => call.cached_tokens! > call.prompt_tokens! / 2).length >= 6, 'later turns go on from what was computed')
  })
})
