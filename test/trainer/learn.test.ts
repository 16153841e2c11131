// Goal: the loop is closed. Nodes play, samples reach the trainer over the bus, it makes steps, its weights reach the inference
// server, and later rollouts are drawn by them. Method: the comparison of `npm run learn` at the size of a toy, with every real part:
// nats-server, a node, process sandboxes, the verifier, the inference server, the trainer.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { natsServers, skipWithoutNats } from '../helpers/nats-server.ts'
import { testFolder } from '../helpers/test-folder.ts'
import { skipWithoutTrainer, trainerFolder, trainerPython } from '../helpers/trainer-python.ts'

interface Arm { rollouts: number; rounds: { bugs: number; attempts: number }[]; after: { attempts: number } }
interface Results { seeds: { before: { attempts: number; bugs: Record<string, number[]> }; arms: Record<string, Arm> }[] }
interface Step { grad_norm: number; skipped: string | null }
interface Settled { role: string; policy: { name: string; version: string }; group_size: number; reward: number | null }

const skip = skipWithoutNats() || skipWithoutTrainer()

t.test('a model plays, its samples train it, and its new weights play on', { skip, timeout: 1_100_000 }, async t => {
  const out = join(testFolder(t), 'learn')
  const args = ['-m', 'spar_trainer.learn', '--out', out, '--nats-server', natsServers().at(-1)!.path, '--seeds', '1', '--conversations', '3200', '--family', '400', '--rollouts', '96', '--train-arenas', '3', '--held-out-arenas', '3', '--eval-bugs', '3', '--eval-attempts', '2', '--samples-per-step', '4']
  const child = spawn(trainerPython()!, args, { env: { ...process.env, PYTHONPATH: trainerFolder }, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stdout.on('data', (bytes: Buffer) => { said += bytes.toString() })
  child.stderr.on('data', (bytes: Buffer) => { said += bytes.toString() })
  t.teardown(() => { child.kill('SIGTERM') })
  const [code] = await once(child, 'close') as [number | null]
  t.equal(code, 0, said)

  const { seeds: [seed] } = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as Results
  t.equal(seed!.before.attempts, 6, 'every attempt on a held-out bug was graded')
  t.same(Object.keys(seed!.arms), ['self-play', 'repair-only', 'injection-only'])
  for (const [name, arm] of Object.entries(seed!.arms)) {
    t.ok(arm.rollouts >= 96, `${name} has its rollouts`)
    t.equal(arm.after.attempts, 6)
  }
  const lines = (name: string): unknown[] => readFileSync(join(out, 'seed-1', name), 'utf8').trim().split('\n').filter(line => line !== '').map(line => JSON.parse(line) as unknown)
  const settled = lines('self-play.jsonl') as Settled[]
  t.ok(settled.some(({ role }) => role === 'breaker'))
  t.ok(settled.every(({ group_size }) => group_size === 4))
  // Which arm has groups that differ in their rewards is chance; one has.
  const trained = Object.keys(seed!.arms).map(arm => ({ arm, steps: lines(`${arm}-metrics.jsonl`) as Step[], versions: new Set((lines(`${arm}.jsonl`) as Settled[]).map(({ policy }) => policy.version)) }))
  t.ok(trained.some(({ steps, versions }) => steps.length > 0 && versions.size > 1), `rollouts were drawn by ${trained.map(({ arm, steps, versions }) => `${arm}: ${steps.length} steps, ${[...versions].join(' ')}`).join('; ')}`)
  t.ok(trained.flatMap(({ steps }) => steps).every(({ skipped, grad_norm }) => skipped === null && grad_norm > 0))
  t.ok(existsSync(join(out, 'report.html')))
  t.match(said, /\| self-play \| \d+% /)
})
