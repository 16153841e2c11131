// A whole cluster from one seed: nodes that play a run in virtual time while faults strike, then without faults to its end, then drained;
// and what checkers say of it.

import { getDocument, isGivenUp } from '../../src/cluster/document.ts'
import { halfPutBack, listQuarantine } from '../../src/cluster/quarantine.ts'
import { createRetry } from '../../src/cluster/retry.ts'
import { keptNow } from '../../src/bus/now.ts'
import type { Arena } from '../../src/domain.ts'
import { checkEpisodes, checkLedger, readKept } from '../../src/simulation/checks/records.ts'
import { checkTruth } from '../../src/simulation/checks/truth.ts'
import { watchOwners, watchWrites, type Written } from '../../src/simulation/checks/watch.ts'
import type { Aftermath, PutBack, Rule, Say, Violation } from '../../src/simulation/checks/types.ts'
import { faultsOf, type FaultPlan } from '../../src/simulation/faults.ts'
import { simulationStart } from '../../src/simulation/time.ts'
import type { TraceLine } from '../../src/simulation/trace.ts'
import { prepareLanguage } from '../../src/workers/mutate/grammars.ts'
import { checkIdle, checkTrainer, drainAll, drainMs, livenessMs, watchLimits } from './endings.ts'
import { openTrainer, schedule } from './events.ts'
import { createSimulatedNode, type PortsOf, type SimulatedNode } from './node.ts'
import { putBackAll } from './put-back.ts'
import { openRuns, type SimulatedRun } from './runs.ts'
import { openUsers } from './user.ts'
import { createWorld, type World } from './world.ts'

export interface SimulateOptions {
  seed: number
  nodes: number
  /** Of all runs together. */
  episodes: number
  /** At a time, each with one episode or more. */
  runs: number
  /** Solvers of a bug; drawn by the seed where nothing is said. */
  group?: number
  /** As it is to be: a swarm has been drawn already. */
  plan: FaultPlan
  onLine?: (line: TraceLine) => void
  onEpisode?: (settled: number) => void
  /** Given what a run has left on the bus once everything is over. */
  onEnd?: (aftermath: Aftermath) => Promise<void>
}

/** What a run is played on and with. */
export interface SimulatedPlace { open (target: string): Arena; portsOf: (world: World, machine: string) => PortsOf; /** Sandboxes that are alive, with the process that owns each. */ sandboxes (): { owner: string; id: string }[] }

export interface Simulated {
  seed: number
  /** SHA-256 of all that happened. */
  hash: string
  lines: number
  virtualMs: number
  runs: { name: string; state: string; episodes: number }[]
  /** Of all runs, those with an outcome. */
  episodes: number
  counts: { works: number; settled: number; cancelled: number; quarantined: number; samples: number; lives: number }
  faults: Record<string, number>
  violations: Violation[]
}

/** Time that faults have, milliseconds. */
const faultyMs = (episodes: number): number => 600_000 + 30_000 * episodes
const violationsMax = 100
/** How often work is put back once faults are over, and how long that may take, milliseconds. */
const putBackMax = 5
const putBackMs = 600_000

export async function simulate (options: SimulateOptions, place: SimulatedPlace): Promise<Simulated> {
  await prepareLanguage('python')
  const { seed, episodes, plan } = options
  const world = createWorld(seed, options.nodes, plan, options.onLine ?? null)
  const { time, fates, random, inner, clock } = world
  const violations: Violation[] = []
  const say: Say = (rule: Rule, what: string) => {
    world.trace('checker', rule, what)
    if (violations.length < violationsMax) violations.push({ rule, what })
  }
  const over = new AbortController()
  let isFaulty = true
  let isServing = true
  const nodes = Array.from({ length: options.nodes }, (_, index) => openNode(world, place, `n${index + 1}`, say, () => isServing))
  const written: Written = { records: new Set(), samples: new Set() }
  const putBack: PutBack = { works: new Map(), times: 0, forget: key => { written.records.delete(key) } }
  for (const watching of [watchOwners(inner, say, over.signal), watchWrites(inner, written, say, over.signal)]) watching.catch((error: unknown) => say('defect', String(error)))
  const users = openUsers(world)
  const runs = openRuns(world, users, options, () => options.onEpisode?.(settledOf()), over.signal)
  const settledOf = (): number => runs.reduce((sum, { settled }) => sum + settled, 0)
  for (const [index, node] of nodes.entries()) time.at(time.now() + 300 * index, () => node.start())
  const training = openTrainer(world, runs)
  schedule(world, nodes, runs, training, (run, options) => putBackAll(users, putBack, run, options), () => isFaulty)
  watchLimits(world, nodes, runs, putBack, say, over.signal)

  // Some runs meet faults to their end, others go on without them from the middle.
  const faultyUntil = episodes * random.fork('until').pick([0.5, 0.8, Infinity])
  let ended = false
  const look = async (): Promise<void> => {
    ended = runs.every(({ isOver }) => isOver) && await isIdle(world)
    if (!ended) time.at(time.now() + 500, () => void look())
  }
  void look()
  await time.run(() => ended || settledOf() >= faultyUntil, time.now() + faultyMs(episodes))
  isFaulty = false
  world.trace('world', 'faults are over')
  fates.stop()
  training.start()
  for (const node of nodes) calm(node)
  const came = await time.run(() => ended, time.now() + livenessMs(episodes))
  if (came !== 'over') say('liveness', `${runs.filter(({ isOver }) => !isOver).map(({ name }) => name).join(', ') || 'work of a run that is over'} has not ended ${Math.round(livenessMs(episodes) / 60_000)} minutes after faults stopped: ${settledOf()} of ${episodes} episodes are settled`)

  // Nothing befalls anybody any more but the first user: what was put back ends as if it had never been away.
  for (let round = 1, calls = 1 + random.fork('putting back').int(20), left = await leftIn(world, runs); left !== null; round++, calls = Infinity, left = await leftIn(world, runs)) {
    if (round > putBackMax * runs.length) {
      say('liveness', `work of ${left} is in quarantine, or half put back, after it was put back ${putBackMax} times without faults`)
      break
    }
    const user = putBackAll(users, putBack, left, { callsMax: calls })
    await time.run(() => user.state !== 'busy', time.now() + putBackMs)
    if (user.state === 'busy') say('liveness', `nobody can put work back within ${putBackMs} ms`)
    if (user.state !== 'done') continue
    ended = false
    void look()
    if (await time.run(() => ended, time.now() + livenessMs(episodes)) !== 'over') say('liveness', `${left} has not ended in time after work of it was put back`)
  }
  await checkIdle(world, nodes, place, say)
  isServing = false
  await drainAll(world, nodes, say)
  await checkTrainer(world, training, say)
  over.abort()
  for (const node of nodes) node.end()
  training.end()
  const counts = { works: 0, settled: 0, cancelled: 0, quarantined: 0, samples: 0, lives: nodes.reduce((sum, { lives }) => sum + lives, 0) }
  const played: Simulated['runs'] = []
  for (const { name } of runs) {
    const aftermath: Aftermath = { inner, retry: createRetry(clock), document: await getDocument(inner, name), putBack: putBack.works }
    const kept = await readKept(aftermath)
    // What these say names episodes, of this run or another.
    const sayOf: Say = name === runs[0]!.name ? say : (rule, what) => say(rule, what.replace(/\be\d{4,}/g, `${name}.$&`))
    checkLedger(kept, sayOf)
    await checkEpisodes(aftermath, kept, sayOf)
    await checkTruth(aftermath, kept, sayOf)
    await options.onEnd?.(aftermath)
    for (const { kind } of kept.endings.values()) counts[kind]++
    counts.works += kept.dispatched.size
    counts.samples += kept.samples.size
    played.push({ name, state: aftermath.document.state, episodes: kept.outcomes.size })
  }
  for (const { id, owner } of place.sandboxes()) say('sandboxes', `the sandbox ${id} of ${owner} is still there after every node has left`)
  return {
    seed, hash: world.lines.hash(), lines: world.lines.lines, virtualMs: time.now() - simulationStart, runs: played, episodes: played.reduce((sum, { episodes }) => sum + episodes, 0),
    violations, faults: fates.counts, counts
  }
}

/** Nothing is done for any run any more. */
async function isIdle ({ inner }: World): Promise<boolean> {
  return (await inner.queue.subjects()).length === 0 && (await keptNow(inner.kv.episodes, '', () => null)).size === 0
}

/** A run in which a user sees something to put back. */
async function leftIn ({ inner }: World, runs: readonly SimulatedRun[]): Promise<string | null> {
  for (const { name } of runs) {
    const document = await getDocument(inner, name)
    if (!isGivenUp(document.state) && ((await listQuarantine(inner, name)).length > 0 || await halfPutBack(inner, name, document) !== null)) return name
  }
  return null
}

function openNode (world: World, place: SimulatedPlace, machine: string, say: Say, isServing: () => boolean): SimulatedNode {
  const { time, fates, plan } = world
  const isUndisturbed = faultsOf(plan).every(fault => fault === 'version')
  const node = createSimulatedNode(world, {
    name: machine, slots: { start: 2, run: 8, verify: 2, grade: 4, own: 8 }, drainMs, portsOf: place.portsOf(world, machine), open: place.open,
    onReport: report => {
      if (report.type !== 'delivered') return
      if (report.code === 'DEFECT' || /\bDEFECT\b/.test(report.reason ?? '')) say('defect', `${report.run}.${report.work}: ${report.reason ?? ''}`)
      if (isUndisturbed && report.delivery > 1) say('leases', `${report.run}.${report.work} was delivered ${report.delivery} times, though nothing befell anybody`)
    },
    onFailed: reason => { if (/\bDEFECT\b/.test(reason)) say('defect', `${machine} has ended: ${reason}`) },
    onCrash: () => { time.at(time.now() + fates.downMs(), () => { if (node.life?.host.state === 'crashed') node.start() }) }
  })
  // Whoever supervises processes starts one again that has left by a fault, or that somebody drained.
  const look = (): void => {
    const { life } = node
    if (life?.endedAt !== null && life?.endedAt !== undefined && life.host.state !== 'crashed' && isServing()) {
      node.end()
      node.start()
    }
    time.at(time.now() + 5_000, look)
  }
  look()
  return node
}

/** Nothing befalls a node any more; one that is down comes back. */
function calm (node: SimulatedNode): void {
  node.life?.link.mend()
  node.life?.host.resume()
  if (node.life === null || node.life.host.state === 'crashed' || node.life.endedAt !== null) {
    node.end()
    node.start()
  }
}
