// A deployment as queues: slots of nodes, their cores, the engines that sample, the trainer. Episodes go through them as the machines
// lead them (machines/episode.ts); what a turn, a command or a test takes is drawn. It says where work waits, what is thrown away as too
// old, and what is full first. That the machines are right is not asked here: `spar simulate` does.

import { createRandom } from '../random.ts'
import { createAgenda } from './agenda.ts'
import type { Figures, Policy } from './figures.ts'
import { createLevel, createSpread, type Spread } from './meters.ts'
import { createSlotPool, type SlotPool } from './slots.ts'
import { createStation, shareMeters, type Station } from './station.ts'
import { createModelTrainer, type ModelSample, type Role, type Taken } from './trainer.ts'

export interface Modelled {
  /** Seconds that were looked at, and steps of the trainer in them: fewer than were asked for where it is starved for good. */
  seconds: number
  steps: number
  rollouts: number
  episodes: number
  trainedTokens: number
  /** Share of what there is that was at work, on average. */
  used: Record<'runSlots' | 'verifySlots' | 'gradeSlots' | 'cores' | 'sequences' | 'inFlight' | 'trainer' | 'bus', number>
  /** Share of the time in which no new episode was begun since the trainer had enough. */
  heldBack: number
  /** Sequences that an engine writes at a time, on average. */
  sequences: number
  waits: Record<'break' | 'solve' | 'verify' | 'grade' | 'core' | 'engine', Wait>
  /** Seconds that a rollout took, by role. */
  took: Record<Role, Wait>
  taken: Record<Role, Omit<Taken, 'age'> & { age: Wait }>
  bus: { writesPerSecond: number; megabytesPerSecond: number; pullsPerSecond: number; waitingPulls: number }
}
export interface Wait { count: number; mean: number; p50: number; p95: number }

const waitOf = (spread: Spread): Wait => ({ count: spread.count(), mean: spread.mean(), p50: spread.quantile(0.5), p95: spread.quantile(0.95) })

/** A trainer that makes no step in so many seconds of the model is starved for good. */
const secondsMax = 10 * 86_400

export function model (figures: Figures, policy: Policy): Modelled {
  const { nodes, inFlight, group } = figures
  const random = createRandom(figures.seed)
  const agenda = createAgenda()
  const { now } = agenda
  const pool = (name: string, perNode: number, kinds: number): SlotPool => createSlotPool({ nodes, perNode, kinds, order: policy.order, random: random.fork(name), now })
  const pools = { run: pool('run', figures.runSlots, 2), verify: pool('verify', figures.verifySlots, 1), grade: pool('grade', figures.gradeSlots, 1) }
  const coreMeters = shareMeters(now)
  const cores: Station[] = Array.from({ length: nodes }, () => createStation(figures.cores, coreMeters))
  const engineMeters = shareMeters(now)
  const engines = Array.from({ length: Math.max(1, Math.floor(figures.gpus / figures.gpusPerEngine)) }, () => ({ station: createStation(figures.sequencesMax, engineMeters), writing: 0, rollouts: 0 }))
  const flying = createLevel(now)
  const held = createLevel(now)
  const took = { breaker: createSpread(), solver: createSpread() }
  const trainer = createModelTrainer(figures, agenda, fill)
  const draw = { turns: random.fork('turns'), command: random.fork('command'), fate: random.fork('fate') }
  const rounds = new Map<number, ModelSample[]>()
  let begun = 0
  let rollouts = 0
  let episodes = 0
  let isHeld = false

  /** Begins episodes up to what may be in flight, unless the trainer has enough before it. */
  function fill (): void {
    const isEnough = trainer.ahead >= figures.aheadSteps * figures.trainTokens
    if (isEnough !== isHeld) {
      isHeld = isEnough
      held.add(isHeld ? 1 : -1)
    }
    while (!isHeld && flying.now < inFlight) {
      flying.add(1)
      episode()
    }
  }

  function episode (): void {
    const round = Math.floor(begun++ / group)
    let waiting: ModelSample[] = []
    const release = (): void => {
      for (const sample of waiting) if (sample.role === 'solver') trainer.add(sample)
      else inRound(round, sample)
      waiting = []
    }
    const settle = (): void => {
      release()
      episodes++
      flying.add(-1)
      fill()
    }
    rollout('breaker', (version, tokens) => {
      waiting.push({ role: 'breaker', tokens, born: version, teaches: true })
      if (draw.fate.next() >= figures.submits) return settle()
      judged(pools.verify, figures.verifyRuns, () => {
        if (draw.fate.next() >= figures.valid) return settle()
        solve(1)
      })
    })

    function solve (order: number): void {
      // Bugs differ: their rates have that mean, and some hardly any attempt solves.
      const rate = draw.fate.next() ** (1 / figures.solveRate - 1)
      const attempts: { version: number; tokens: number; solved: boolean }[] = []
      for (let member = 0; member < group; member++) {
        rollout('solver', (version, tokens) => judged(pools.grade, 1, () => {
          attempts.push({ version, tokens, solved: draw.fate.next() < rate })
          if (attempts.length === group) solvedGroup()
        }))
      }
      function solvedGroup (): void {
        const solved = attempts.filter(attempt => attempt.solved).length
        const teaches = solved > 0 && solved < group
        waiting.push(...attempts.map(({ version, tokens }): ModelSample => ({ role: 'solver', tokens, born: version, teaches })))
        if (order !== 1 || solved === group || draw.fate.next() >= figures.secondOrder) return settle()
        // What the first group says of breaker and solvers is final.
        if (policy.release === 'group') release()
        solve(2)
      }
    }
  }

  /** Breakers are compared with those of their round: the trainer has them all, or none of use. */
  function inRound (round: number, sample: ModelSample): void {
    const members = [...rounds.get(round) ?? [], sample]
    rounds.set(round, members)
    if (members.length < group) return
    rounds.delete(round)
    for (const member of members) trainer.add(member)
  }

  /** A rollout in a slot: turns of the engine and of the node. `ended` gets the version of its first token, and its tokens. */
  function rollout (role: Role, ended: (version: number, tokens: number) => void): void {
    const mean = role === 'breaker' ? figures.breakerTurns : figures.solverTurns
    const turns = Math.max(1, Math.min(figures.turnsMax, Math.round(logNormal(mean))))
    pools.run.enter(role === 'solver' ? 0 : 1, (node, leave) => {
      const since = now()
      const version = trainer.served
      const engine = engines.reduce((least, one) => one.rollouts < least.rollouts ? one : least)
      engine.rollouts++
      const next = (turn: number): void => {
        if (turn === turns) {
          engine.rollouts--
          rollouts++
          took[role].add(now() - since)
          leave()
          ended(version, figures.promptTokens + turns * (figures.sampledTokens + figures.observedTokens))
          return
        }
        engine.station.enter(free => {
          engine.writing++
          const read = turn === 0 ? figures.promptTokens : figures.observedTokens
          const seconds = read / figures.prefillTokensPerSecond + figures.sampledTokens * (figures.stepMs + figures.stepMsPerSequence * engine.writing) / 1000
          agenda.in(seconds, () => {
            engine.writing--
            free()
            const last = turn === turns - 1 ? figures.nodeCpuMs / 1000 : 0
            work(node, exponential(figures.commandSeconds) + last, () => next(turn + 1))
          })
        })
      }
      agenda.in(figures.slotSeconds + figures.sandboxSeconds, () => next(0))
    })
  }

  /** So many runs of the tests in one slot, side by side where cores are free. */
  function judged (pool: typeof pools.verify, runs: number, ended: () => void): void {
    pool.enter(0, (node, leave) => agenda.in(figures.slotSeconds + figures.sandboxSeconds, () => {
      let left = runs
      for (let run = 0; run < runs; run++) {
        work(node, figures.suiteSeconds, () => {
          if (--left > 0) return
          leave()
          ended()
        })
      }
    }))
  }

  function work (node: number, seconds: number, done: () => void): void {
    cores[node]!.enter(leave => agenda.in(seconds, () => {
      leave()
      done()
    }))
  }

  const exponential = (mean: number): number => mean === 0 ? 0 : -mean * Math.log(1 - draw.command.next())
  /** Of that mean, whose logarithm has the σ `turnsSpread`. */
  function logNormal (mean: number): number {
    const sigma = figures.turnsSpread
    const normal = Math.sqrt(-2 * Math.log(1 - draw.turns.next())) * Math.cos(2 * Math.PI * draw.turns.next())
    return mean * Math.exp(sigma * normal - sigma * sigma / 2)
  }

  fill()
  agenda.run(() => trainer.steps >= figures.warmSteps || now() >= secondsMax)
  for (const { busy, waits } of Object.values(pools)) for (const meter of [busy, ...waits]) meter.reset()
  for (const meter of [coreMeters.busy, coreMeters.waits, engineMeters.busy, engineMeters.waits, flying, held, took.breaker, took.solver]) meter.reset()
  trainer.resetMeters()
  rollouts = episodes = 0
  const from = { at: now(), steps: trainer.steps }
  agenda.run(() => trainer.steps >= from.steps + figures.steps || now() >= from.at + secondsMax)

  const seconds = now() - from.at
  const perSecond = rollouts / seconds
  const slots = Object.values(pools).reduce((sum, { total, busy }) => ({ total: sum.total + total, busy: sum.busy + busy.mean() }), { total: 0, busy: 0 })
  const writesPerSecond = perSecond * figures.busWrites
  const takenOf = ({ trained, stale, flat, age }: Taken): Modelled['taken'][Role] => ({ trained, stale, flat, age: waitOf(age) })
  return {
    seconds, steps: trainer.steps - from.steps, rollouts, episodes, trainedTokens: trainer.trainedTokens,
    used: {
      runSlots: pools.run.busy.mean() / pools.run.total, verifySlots: pools.verify.busy.mean() / pools.verify.total, gradeSlots: pools.grade.busy.mean() / pools.grade.total,
      cores: coreMeters.busy.mean() / (nodes * figures.cores), sequences: engineMeters.busy.mean() / (engines.length * figures.sequencesMax),
      inFlight: flying.mean() / inFlight, trainer: trainer.busy.mean(), bus: writesPerSecond / figures.busWritesPerSecond
    },
    heldBack: held.mean(),
    sequences: engineMeters.busy.mean() / engines.length,
    waits: { break: waitOf(pools.run.waits[1]!), solve: waitOf(pools.run.waits[0]!), verify: waitOf(pools.verify.waits[0]!), grade: waitOf(pools.grade.waits[0]!), core: waitOf(coreMeters.waits), engine: waitOf(engineMeters.waits) },
    took: { breaker: waitOf(took.breaker), solver: waitOf(took.solver) },
    taken: { breaker: takenOf(trainer.taken.breaker), solver: takenOf(trainer.taken.solver) },
    bus: {
      writesPerSecond, megabytesPerSecond: perSecond * figures.busMegabytes,
      pullsPerSecond: (slots.total - slots.busy) / figures.pullSeconds + nodes / figures.heartbeatSeconds, waitingPulls: slots.total - slots.busy
    }
  }
}
