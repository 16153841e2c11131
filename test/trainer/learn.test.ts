// Goal: the loop is closed. Nodes play, samples reach the trainer over the bus, it makes steps, its weights reach the inference
// server, and later rollouts are drawn by them. Method: the proof of `npm run learn` at the size of a toy, with every real part:
// nats-server, a node, process sandboxes, the verifier, the inference server, the trainer.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { natsServers, skipWithoutNats } from '../helpers/nats-server.ts'
import { skipWithoutTrainer, trainerFolder, trainerPython } from '../helpers/trainer-python.ts'

interface Arm { rollouts: number; rounds: { bugs: number; attempts: number }[]; after: { attempts: number } }
interface Results { seeds: { before: { attempts: number; bugs: Record<string, number[]> }; arms: Record<string, Arm> }[] }
interface Settled { role: string; policy: { name: string; version: string }; group_size: number; reward: number | null }

const skip = skipWithoutNats() || skipWithoutTrainer()

t.test('a model plays, its samples train it, and its new weights play on', { skip, timeout: 400_000 }, async t => {
  const out = join(t.testdir(), 'learn')
  const args = ['-m', 'spar_trainer.learn', '--out', out, '--nats-server', natsServers().at(-1)!.path, '--seeds', '1', '--conversations', '960', '--family', '60', '--rollouts', '72', '--train-arenas', '3', '--held-out-arenas', '3', '--eval-bugs', '3', '--eval-attempts', '2', '--samples-per-step', '8']
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
    t.ok(arm.rollouts >= 72, `${name} has its rollouts`)
    t.equal(arm.after.attempts, 6)
  }
  const lines = (name: string): unknown[] => readFileSync(join(out, 'seed-1', name), 'utf8').trim().split('\n').map(line => JSON.parse(line) as unknown)
  const settled = lines('self-play.jsonl') as Settled[]
  t.ok(settled.some(({ role }) => role === 'breaker'))
  t.ok(settled.every(({ group_size }) => group_size === 4))
  const steps = lines('repair-only-metrics.jsonl') as { step: number; grad_norm: number; skipped: string | null }[]
  t.ok(steps.length > 0, 'it made steps')
  t.ok(steps.every(({ skipped, grad_norm }) => skipped === null && grad_norm > 0))
  const versions = new Set((lines('repair-only.jsonl') as Settled[]).map(({ policy }) => policy.version))
  t.ok(versions.size > 1, `rollouts were drawn by ${[...versions].join(', ')}`)
  t.ok(existsSync(join(out, 'report.html')))
  t.match(said, /\| self-play \| \d+% /)
})
