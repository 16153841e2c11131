// What may go wrong, as a plain struct: a chance for whatever happens often, so many times a minute for the rest. A seed turns about half
// of it off and scales what stays ("swarm"): faults that always come together hide each other.

import { SparError } from '../errors.ts'
import { createRandom } from '../random.ts'
import type { Random } from '../ports.ts'

/** Chances, each for one operation. */
export const chances = {
  /** Of a message between a process and the bus. */
  loss: 0.005, duplicate: 0.01, reorder: 0.02, delay: 0.01,
  /** Of a write over a revision: the answer says that somebody else was first, as after a leader was lost. */
  conflict: 0.005,
  /** Of an object that is read: other bytes come. */
  corrupt: 0.005,
  /** Of something that is put on the queue or into a log: the server has no room. */
  full: 0.005,
  /** Of a message that was acknowledged: the server brings it back. */
  resurrect: 0.005,
  /** Of whatever a process hears; and of a write whose answer comes: it crashes before it hears that. */
  crash: 0.001, pause: 0.0005, crashAfterWrite: 0.005,
  /** Of an operation of a sandbox. */
  sandboxLost: 0.003, sandboxHang: 0.003, sandboxFull: 0.005, sandboxMemory: 0.003, sandboxSlow: 0.02,
  /** Of a question to a policy. */
  policyError: 0.01, policyHang: 0.002, policySlow: 0.02
}

/** Events of the cluster, each so many times a minute. */
export const rates = {
  /** One process and the bus do not hear each other, or only one way. */
  partition: 0.5,
  /** The bus answers nobody: its leader is lost. */
  outage: 0.2,
  /** Somebody drains a node. */
  drain: 0.1,
  /** The trainer is away. */
  trainerAway: 0.2,
  /** Somebody pauses a run for a while, cancels it, or puts back what it has in quarantine. */
  pauseRun: 0.2, cancelRun: 0.03, putBack: 0.3,
  /** The trainer announces new weights. */
  version: 2
}

/** The rest: drawn once for a process, milliseconds and shares. */
export const shapes = {
  /** How far a clock is off, and by how much it drifts. */
  skewMs: 5_000, drift: 0.01,
  /** Of a machine that is slow: by how much. */
  slowFactor: 5, slowShare: 0.2,
  /** How long what is cut, paused or down stays so. */
  downMsMin: 200, downMsMax: 60_000
}

export type Chance = keyof typeof chances
export type Rate = keyof typeof rates
export interface FaultPlan { chances: Record<Chance, number>; rates: Record<Rate, number>; shapes: typeof shapes }

export const defaultFaults: FaultPlan = { chances, rates, shapes }

const scaled = <Name extends string>(values: Record<Name, number>, factor: (name: Name) => number): Record<Name, number> =>
  Object.fromEntries((Object.entries(values) as [Name, number][]).map(([name, value]) => [name, value * factor(name)])) as Record<Name, number>

export const noFaults: FaultPlan = {
  chances: scaled(chances, () => 0), rates: scaled(rates, name => name === 'version' ? 1 : 0), shapes: { ...shapes, skewMs: 0, drift: 0, slowShare: 0 }
}

/** Of a seed: every tenth has none, since some rules hold only there. */
export const drawFaults = (seed: number): FaultPlan => seed % 10 === 0 ? noFaults : swarm(defaultFaults, createRandom(seed))

/** The same faults, about half of them, scaled between a fifth and three times. */
function swarm (plan: FaultPlan, random: Random): FaultPlan {
  const factor = (name: string): number => {
    const own = random.fork(name)
    return own.next() < 0.5 ? 0 : 0.2 * 15 ** own.next()
  }
  const { skewMs, drift, slowShare } = plan.shapes
  return {
    chances: scaled(plan.chances, factor),
    rates: scaled(plan.rates, factor),
    shapes: { ...plan.shapes, skewMs: skewMs * Math.min(1, factor('skewMs')), drift: drift * Math.min(1, factor('drift')), slowShare: Math.min(1, slowShare * factor('slowShare')) }
  }
}

/** A plan with one fault left out. */
export function without (plan: FaultPlan, name: Chance | Rate): FaultPlan {
  return { ...plan, chances: { ...plan.chances, ...name in chances ? { [name]: 0 } : {} }, rates: { ...plan.rates, ...name in rates ? { [name]: 0 } : {} } }
}

/** Names of the faults that a plan has. */
export const faultsOf = (plan: FaultPlan): (Chance | Rate)[] =>
  ([...Object.entries(plan.chances), ...Object.entries(plan.rates)] as [Chance | Rate, number][]).filter(([, value]) => value > 0).map(([name]) => name)

/** What a file says over the defaults. Throws FAULTS_INVALID. */
export function parseFaults (text: string, path: string): FaultPlan {
  const bad = (why: string): SparError => new SparError('FAULTS_INVALID', `Cannot use the faults of ${path}: ${why}`)
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch (error) { throw bad(`it is no JSON: ${(error as Error).message}`) }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw bad('it takes an object with "chances", "rates" and "shapes"')
  const plan = { chances: { ...chances }, rates: { ...rates }, shapes: { ...shapes } }
  for (const [part, values] of Object.entries(given)) {
    const known = (plan as Record<string, Record<string, number>>)[part]
    if (known === undefined || typeof values !== 'object' || values === null) throw bad(`"${part}" is none of chances, rates, shapes`)
    for (const [name, value] of Object.entries(values)) {
      if (!Object.hasOwn(known, name)) throw bad(`${part} has no "${name}": it has ${Object.keys(known).join(', ')}`)
      if (typeof value !== 'number' || !(value >= 0) || (part === 'chances' && value > 1)) throw bad(`${part}.${name} takes a number from 0${part === 'chances' ? ' to 1' : ''}`)
      known[name] = value
    }
  }
  const { downMsMin, downMsMax, drift } = plan.shapes
  if (downMsMin < 1 || downMsMax < downMsMin) throw bad('shapes.downMsMin takes a number from 1 to downMsMax')
  if (drift >= 1) throw bad('shapes.drift takes a number below 1')
  return plan
}

/** Decides, by the seed alone, whether a fault strikes: each fault has a stream of chance of its own, so that leaving one out moves no other. */
export interface Fates {
  /** Never once faults have stopped. */
  strikes (fault: Chance): boolean
  /** Milliseconds until the next of this kind; Infinity where it does not come. */
  next (fault: Rate): number
  /** How long what is down stays so. */
  downMs (): number
  count (fault: Rate): void
  stop (): void
  readonly counts: Record<string, number>
}

export function createFates (plan: FaultPlan, seed: number): Fates {
  const random = createRandom(seed)
  const streams = new Map<string, Random>()
  const counts: Record<string, number> = {}
  let isOver = false
  const stream = (name: string): Random => {
    const known = streams.get(name) ?? random.fork(name)
    streams.set(name, known)
    return known
  }
  const count = (fault: string): void => { counts[fault] = (counts[fault] ?? 0) + 1 }
  return {
    strikes (fault) {
      const chance = plan.chances[fault]
      if (chance === 0 || isOver || stream(fault).next() >= chance) return false
      count(fault)
      return true
    },
    next: fault => isOver || plan.rates[fault] === 0 ? Infinity : -Math.log(1 - stream(fault).next()) * 60_000 / plan.rates[fault],
    downMs () {
      const { downMsMin, downMsMax } = plan.shapes
      return Math.round(downMsMin * (downMsMax / downMsMin) ** stream('downMs').next())
    },
    count,
    stop () { isOver = true },
    counts
  }
}
