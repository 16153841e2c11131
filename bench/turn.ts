// What a turn costs beside policy and command: 64 rollouts at a time through queue, machine, session and record keeping,
// with a policy and a sandbox that answer in the next turn of the event loop.
//   at once  nothing is subtracted: what a turn takes is ours, waiting for the 63 others included. The loop is never idle,
//            so this is the worst there is.
//   in time  policy and command take what `--policy-ms` and `--command-ms` say, which is subtracted; how late a timer is
//            counts against us.
// Beside each: the same turns in a plain loop of awaits, without machine, session or queue.
// `--check` turns the marks into an exit code. Usage: node dist/bench/turn.js [--check] [--rollouts 640] [--turns 40]

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { doWork } from '../actors/work/index.ts'
import type { Workplace } from '../actors/work/types.ts'
import { createMemoryQueue } from '../src/bus/memory-queue.ts'
import { systemClock } from '../src/clock.ts'
import type { Arena, Observation, Reply } from '../src/domain.ts'
import type { ExecResult, Policy, Sandbox, Sandboxes } from '../src/ports.ts'
import { breakId } from '../src/run/ids.ts'
import { episodeIdOf } from '../src/run/draw.ts'
import { runDefaults } from '../src/run/options.ts'
import { folderEpisodes } from '../src/store/episodes.ts'
import { createRunStore } from '../src/store/run.ts'

const { values } = parseArgs({
  options: { check: { type: 'boolean', default: false }, rollouts: { type: 'string', default: '640' }, turns: { type: 'string', default: '40' }, 'policy-ms': { type: 'string', default: '50' }, 'command-ms': { type: 'string', default: '5' } }
})
const marks = { turnMs: 5 }
const inFlight = 64
const rollouts = Number(values.rollouts)
const turnsMean = Number(values.turns)
const failed: string[] = []

interface Pace { name: string; policyMs: number; commandMs: number }
const paces: Pace[] = [{ name: 'at once', policyMs: 0, commandMs: 0 }, { name: 'in time', policyMs: Number(values['policy-ms']), commandMs: Number(values['command-ms']) }]

/** Rollouts differ in length, so that some are opened and kept while others play: from half the mean to one and a half. */
const turnsOf = (number: number): number => Math.max(2, Math.round(turnsMean * (0.5 + (number * 7 % rollouts) / rollouts)))

const after = (ms: number): Promise<unknown> => ms === 0 ? new Promise(resolve => setImmediate(resolve)) : sleep(ms)

// ---- stand-ins ------------------------------------------------------------------------------------------------------

const thought = 'The next place to look at is where the value is read.\n'.repeat(4)
const output = Buffer.from('lib/some file.js: 120: const value = read(source, options)\n'.repeat(30))
const result: ExecResult = { exitCode: 0, output, truncatedBytes: 0, killed: null, durationMs: 0 }
const paths = { testScript: 's', testFiles: 't', testParser: 'p.js', bugInject: 'b', testWeaken: 'w' }
const arena: Arena = {
  id: '0123456789abcdef', target: '/none', name: 'none', commit: '0'.repeat(40), tree: '0'.repeat(40), image: null, imagePath: null, dir: '/none', ecosystem: 'node', runner: 'custom', testCommand: null, mounts: [], path: [], env: {}, testFiles: [], commits: 1
}

/** Turns of one pace: a turn begins when the policy is asked and ends when it is asked again, or the work has ended. */
function createStopwatch (pace: Pace) {
  const began = new Map<string, { at: number; commands: number }>()
  const times: number[] = []
  const end = (id: string): void => {
    const turn = began.get(id)
    if (turn) times.push(performance.now() - turn.at - pace.policyMs - turn.commands * pace.commandMs)
  }
  return {
    times,
    begin (id: string): void { end(id); began.set(id, { at: performance.now(), commands: 0 }) },
    command (id: string): void { began.get(id)!.commands++ },
    close (id: string): void { end(id); began.delete(id) }
  }
}
type Stopwatch = ReturnType<typeof createStopwatch>

const replyOf = (turn: number, turns: number): Reply => ({ text: thought, call: turn === turns ? { tool: 'submit', paths } : { tool: 'bash', command: 'true' }, fault: null })

function createScripted (pace: Pace, watch: Stopwatch): Policy {
  const next = async (id: string, turn: number): Promise<Reply> => {
    watch.begin(id)
    await after(pace.policyMs)
    return replyOf(turn, turnsOf(numberOf(id)))
  }
  return { name: 'scripted', version: '1', start: ({ rolloutId }) => { let turn = 0; return { next: () => next(rolloutId, ++turn), close: async () => {} } } }
}

const numberOf = (id: string): number => Number(/\d+/.exec(id)![0])

function createStandIn (pace: Pace, watch: Stopwatch): Sandboxes {
  const open = (id: string): Sandbox => ({
    id, kind: 'process', isolation: 'none', tree: '/tree', scratch: '/scratch',
    async exec () { watch.command(id); await after(pace.commandMs); return result },
    readFile: async () => { await after(0); return output },
    writeFile: async () => {},
    destroy: async () => {}
  })
  return { kind: 'process', open: async ({ label }) => { await after(0); return open(label.purpose) }, reap: async () => ({ removed: [] }), close: async () => {} }
}

// ---- measurements ---------------------------------------------------------------------------------------------------

async function playReal (pace: Pace, folder: string, watch: Stopwatch): Promise<void> {
  const policy = createScripted(pace, watch)
  const options = { target: arena.target, ...runDefaults, episodes: rollouts }
  const store = createRunStore(folder, { spar: '0.0.0', node: process.version, options, arena, policies: { breaker: policy.name, solver: policy.name } })
  const queue = createMemoryQueue({ slots: inFlight, clock: systemClock, onEvent: ({ type, work }) => { if (type === 'ended') watch.close(work.id) } })
  const ports = { clock: systemClock, sandboxes: createStandIn(pace, watch), policies: { breaker: policy, solver: policy } }
  const place = { store: folderEpisodes(store), options, arena, ports } as unknown as Workplace
  queue.handle('break', delivery => doWork(place, delivery))
  const endings = await Promise.all(Array.from({ length: rollouts }, (_, index) => queue.add({ id: breakId(episodeIdOf(index + 1)), kind: 'break', priority: 0, payload: { number: index + 1 } })))
  const lost = endings.find(ending => ending.kind !== 'settled' || (ending.result as { outcome: string }).outcome !== 'scored')
  if (lost) throw new Error(`a rollout did not end with a submit: ${JSON.stringify(lost)}`)
}

async function playPlain (pace: Pace, folder: string, watch: Stopwatch): Promise<void> {
  const policy = createScripted(pace, watch)
  const sandboxes = createStandIn(pace, watch)
  const waiting = Array.from({ length: rollouts }, (_, index) => breakId(episodeIdOf(index + 1)))
  const play = async (id: string): Promise<void> => {
    const sandbox = await sandboxes.open({ arena, view: 'history', network: 'none', label: { run: 'plain', purpose: id } })
    const session = policy.start({ rolloutId: id } as never)
    const turns: { reply: Reply; text: string }[] = []
    for (;;) {
      const reply = await session.next(null as Observation | null, new AbortController().signal)
      if (reply.call?.tool !== 'bash') break
      const { output } = await sandbox.exec(reply.call.command, { timeoutMs: 1000, outputBytesMax: 1e5 })
      turns.push({ reply, text: Buffer.from(output).toString('utf8') })
    }
    for (const path of Object.values(paths)) await sandbox.readFile(path, 1e5)
    writeFileSync(join(folder, `${id}.json`), JSON.stringify(turns))
    watch.close(id)
  }
  await Promise.all(Array.from({ length: inFlight }, async () => { for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) await play(id) }))
}

const quantile = (times: number[], share: number): number => times.sort((a, b) => a - b)[Math.floor(times.length * share)]!

async function measure (pace: Pace, play: typeof playReal): Promise<{ p50: number; p99: number; perSecond: number; delayP99: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-turn-'))
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const watch = createStopwatch(pace)
  const startedAt = performance.now()
  delay.enable()
  try { await play(pace, folder, watch) } finally {
    delay.disable()
    rmSync(folder, { recursive: true, force: true })
  }
  const { times } = watch
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), perSecond: times.length / (performance.now() - startedAt) * 1000, delayP99: delay.percentile(99) / 1e6 }
}

async function bench (pace: Pace): Promise<void> {
  await measure(pace, playPlain)
  const plain = await measure(pace, playPlain)
  const real = await measure(pace, playReal)
  const holds = real.p50 <= marks.turnMs
  const ms = (value: number): string => `${value.toFixed(2)} ms`
  console.log(`turn of ${inFlight}, ${pace.name}`.padEnd(24) + ` p50 ${ms(real.p50)}, p99 ${ms(real.p99)}, ${ms(1000 / real.perSecond)} a turn in all, event loop p99 ${ms(real.delayP99)}   mark p50 ≤ ${marks.turnMs} ms ${holds ? 'holds' : 'MISSED'}`)
  console.log(`${''.padEnd(24)} plain loop p50 ${ms(plain.p50)}, p99 ${ms(plain.p99)}, ${ms(1000 / plain.perSecond)} a turn in all, event loop p99 ${ms(plain.delayP99)}; ours ${(real.p50 / plain.p50).toFixed(1)} × its p50`)
  if (!holds) failed.push(pace.name)
}

console.log(`load ${loadavg().map(load => load.toFixed(1)).join(' ')} before`)
for (const pace of paces) await bench(pace)
console.log(`load ${loadavg().map(load => load.toFixed(1)).join(' ')} after`)
if (values.check && failed.length > 0) {
  console.error(`missed: ${failed.join(', ')}`)
  process.exitCode = 1
}
