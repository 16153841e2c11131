// Goal: what a sandbox or a policy suffers is told as an error of ours, and never becomes a verdict or a grade that is not true.
// Method: the same episode again and again, each time with one fault at another operation.

import t from 'tap'
import type { WorkKind } from '../../src/bus/work.ts'
import { systemClock } from '../../src/clock.ts'
import type { RolloutTask } from '../../src/domain.ts'
import { toPlain } from '../../src/errors.ts'
import type { Clock, SandboxSpec } from '../../src/ports.ts'
import { createRandom } from '../../src/random.ts'
import { drawEpisode, episodeIdOf } from '../../src/run/draw.ts'
import { breakId, gradeId, solveId, verifyId } from '../../src/run/ids.ts'
import { simulatedArena } from '../../src/simulation/arena.ts'
import type { CommandName } from '../../src/simulation/commands.ts'
import { createSimulatedPolicy } from '../../src/simulation/policy.ts'
import { createSimulatedMachine, type SandboxFault, type SandboxOperation } from '../../src/simulation/sandboxes.ts'
import { truthOfAttempt, truthOfBug } from '../../src/simulation/truth.ts'
import { openSimulatedLab, type Lab, type PlayedEpisode } from './lab.ts'

const faults: readonly SandboxFault[] = ['lost', 'hang', 'full', 'memory', 'slow']

interface Struck { operation: SandboxOperation; command: CommandName | null; fault: SandboxFault }

/** The first episode of this seed whose bug is valid and whose first attempt was graded. */
const seed = 1
const options = { turnsMax: { breaker: 16, solver: 16 } }

async function firstWhole (): Promise<PlayedEpisode> {
  const lab = openSimulatedLab({ seed, options })
  for (let number = 1; ; number++) {
    const played = await lab.play(number, 1)
    if (played.verdict?.valid && played.attempts[0]!.grade?.solved === true) return played
  }
}

/** The episode up to one piece of work, and that one with the fault at its operation number `at`; null past its last one. */
async function strike (played: PlayedEpisode, kind: WorkKind, at: number, fault: SandboxFault): Promise<{ struck: Struck; result: unknown; code: string | null; lab: Lab } | null> {
  let armed = false
  let count = 0
  let struck: Struck | null = null
  const lab = openSimulatedLab({
    seed,
    options,
    strike: (operation, _label, command) => {
      if (!armed || count++ !== at) return null
      struck = { operation, command, fault }
      // Nothing but an abort ends it, see below.
      return operation === 'open' && fault === 'hang' ? null : fault
    }
  })
  const { number } = played
  const episodeId = episodeIdOf(number)
  const attempt = { number, episodeId, bugId: played.broke.bugId, order: 1, member: 0 }
  const works: [WorkKind, string, unknown][] = [['break', breakId(episodeId), { number }], ['verify', verifyId(episodeId), { episodeId }], ['solve', solveId(episodeId, 1, 0), attempt], ['grade', gradeId(episodeId, 1, 0), attempt]]
  for (const [other, id, payload] of works) {
    armed = other === kind
    const done = await lab.work(other, id, payload).then(result => ({ result, code: null }), (error: unknown) => ({ result: null, code: toPlain(error).code }))
    if (other === kind) return struck === null ? null : { struck, ...done, lab }
  }
  return null
}

const codesOf: Record<WorkKind, string[]> = {
  break: ['SANDBOX_DISK_FULL', 'SANDBOX_LOST'],
  verify: ['VERIFY_UNDECIDED'],
  solve: ['LEAKS_FAILED', 'SANDBOX_DISK_FULL', 'SANDBOX_LOST', 'VERIFY_GIT_KILLED'],
  grade: ['GRADE_UNDECIDED']
}

for (const kind of ['break', 'verify', 'solve', 'grade'] as const) {
  t.test(`one fault in the work of kind ${kind}`, async t => {
    const played = await firstWhole()
    const { params } = drawEpisode(openSimulatedLab({ seed, options }).options, played.number)
    const codes = new Set<string>()
    const untrue: string[] = []
    let strikes = 0
    for (const fault of faults) {
      for (let at = 0; ; at++) {
        const found = await strike(played, kind, at, fault)
        if (found === null) break
        strikes++
        const { struck, result, code, lab } = found
        const said = `${struck.operation} ${struck.command ?? ''} ${fault}`
        if (lab.machine.alive().length > 0) untrue.push(`${said}: leaves ${lab.machine.alive().map(({ label }) => label.purpose).join(', ')}`)
        if (code !== null) codes.add(code)
        else if (!isTrue(kind, played, result, lab, params)) untrue.push(`${said}: ${JSON.stringify(result).slice(0, 300)}`)
      }
    }
    t.ok(strikes > 20, `${strikes} faults struck`)
    t.same(untrue, [])
    t.same([...codes].sort(), codesOf[kind])
  })
}

function isTrue (kind: WorkKind, played: PlayedEpisode, result: unknown, { arena, options }: Lab, params: Parameters<typeof truthOfBug>[2]): boolean {
  const { artifact, verdict, attempts } = played
  if (kind === 'break') return (result as { bugId: string }).bugId === played.broke.bugId
  if (kind === 'verify') {
    const { valid, failed, f2p, p2p } = result as typeof verdict & object
    return JSON.stringify({ valid, failed, f2p, p2p }) === JSON.stringify(truthOfBug(artifact!.bug, arena, params, options.mode))
  }
  if (kind === 'solve') return (result as { submitted: boolean }).submitted
  return (result as { grade: { solved: boolean } }).grade.solved === truthOfAttempt(artifact!.bug, arena, verdict!, attempts[0]!.patch!)
}

t.test('a process that has crashed leaves its sandboxes to the next one', async t => {
  const machine = createSimulatedMachine()
  const arena = simulatedArena(0)
  const spec: SandboxSpec = { arena, view: 'tree', network: 'none', label: { run: 'test', purpose: 'crash' } }
  let isUp = true
  const clock: Clock = { ...systemClock, now: () => 0, sleep: async () => isUp ? undefined : await new Promise(() => {}) }
  const first = machine.connect({ owner: 'first', clock, random: createRandom(1) })
  const sandbox = await first.open(spec)
  isUp = false
  void first.open(spec)
  void sandbox.destroy()
  await new Promise(resolve => setImmediate(resolve))
  t.same(machine.alive(), [{ id: sandbox.id, owner: 'first', label: spec.label, openedAt: 0 }])
  const next = machine.connect({ owner: 'next', clock: { ...systemClock, now: () => 0, sleep: async () => {} }, random: createRandom(1) })
  const own = await next.open(spec)
  t.same(await next.reap(), { removed: [sandbox.id] })
  t.same(machine.alive().map(({ id }) => id), [own.id])
  await next.close()
  t.same(machine.alive(), [])
  await t.rejects(next.open(spec), { code: 'SANDBOX_CLOSED' })
})

t.test('what hangs ends by an abort, and leaves nothing', async t => {
  const { clock, arena, machine } = openSimulatedLab()
  const sandboxes = machine.connect({ owner: 'two', clock, random: createRandom(1), strike: () => 'hang' })
  const opening = (signal: AbortSignal): Promise<unknown> => sandboxes.open({ arena, view: 'tree', network: 'none', label: { run: 'test', purpose: 'hang' } }, signal)
  await t.rejects(clock.drive(abortedAfter(clock, 60_000, opening)), { code: 'SANDBOX_ABORTED', retryable: true })
  t.same(machine.alive(), [])
  const policy = createSimulatedPolicy({ name: 'hangs', clock, random: createRandom(1), strike: () => 'hang' })
  const asking = (signal: AbortSignal): Promise<unknown> => policy.start(task).next(null, signal)
  await t.rejects(clock.drive(abortedAfter(clock, 60_000, asking)), { code: 'ABORTED', retryable: true })
})

t.test('a policy fails as an inference server does, and is asked again for the same', async t => {
  const { clock } = openSimulatedLab()
  const codes = new Set<string>()
  let failures = 40
  const policy = createSimulatedPolicy({ name: 'fails', clock, random: createRandom(1), strike: () => failures-- > 0 ? 'error' : null })
  const session = policy.start(task)
  const signal = new AbortController().signal
  while (failures > 0) {
    const error = toPlain(await clock.drive(session.next(null, signal)).catch((error: unknown) => error))
    t.ok(error.retryable)
    codes.add(error.code)
  }
  t.same([...codes].sort(), ['SERVER_ABORTED', 'SERVER_BUSY', 'SERVER_DOWN', 'SERVER_ERROR', 'SERVER_PROTOCOL', 'SERVER_TIMEOUT'])
  const reply = await clock.drive(session.next(null, signal))
  t.same(reply, await clock.drive(createSimulatedPolicy({ name: 'well', clock, random: createRandom(9) }).start(task).next(null, signal)))
})

const task: RolloutTask = { role: 'solver', oraclePatch: '', rolloutId: 'e0001.solve.1.0', seed: 4, tree: '/testbed', scratch: '/spar', testCommand: null, turnsMax: 8, tokensMax: 100_000, commandMsMax: 1000 }

async function abortedAfter (clock: Clock, ms: number, work: (signal: AbortSignal) => Promise<unknown>): Promise<unknown> {
  const abort = new AbortController()
  void clock.sleep(ms).then(() => abort.abort())
  return await work(abort.signal)
}
