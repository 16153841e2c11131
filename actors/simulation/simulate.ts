// A whole cluster from one seed: nodes that play a run in virtual time while faults strike, then without faults to its end, then drained;
// and what checkers say of it.

import { createDocument, getDocument, isFinal, changeDocument, type RunDocument } from '../../src/cluster/document.ts'
import { anyArena, leadId } from '../../src/cluster/keys.ts'
import { clusterLimits } from '../../src/cluster/limits.ts'
import { announcePolicy } from '../../src/cluster/policy-versions.ts'
import { createRetry } from '../../src/cluster/retry.ts'
import { keptNow } from '../../src/bus/now.ts'
import type { Arena } from '../../src/domain.ts'
import type { Random } from '../../src/ports.ts'
import { runDefaults } from '../../src/run/options.ts'
import { checkEpisodes, checkLedger, readKept } from '../../src/simulation/checks/records.ts'
import { checkTruth } from '../../src/simulation/checks/truth.ts'
import { watchOwners, watchWrites } from '../../src/simulation/checks/watch.ts'
import type { Rule, Say, Violation } from '../../src/simulation/checks/types.ts'
import { faultsOf, type FaultPlan, type Rate } from '../../src/simulation/faults.ts'
import { createHost, type Host } from '../../src/simulation/host.ts'
import { simulationStart } from '../../src/simulation/time.ts'
import { createTrainer } from '../../src/simulation/trainer.ts'
import type { TraceLine } from '../../src/simulation/trace.ts'
import { createSimulatedNode, type PortsOf, type SimulatedNode } from './node.ts'
import { createWorld, type World } from './world.ts'

export interface SimulateOptions {
  seed: number
  nodes: number
  episodes: number
  /** As it is to be: a swarm has been drawn already. */
  plan: FaultPlan
  onLine?: (line: TraceLine) => void
  onEpisode?: (settled: number) => void
}

/** What a run is played on and with. */
export interface SimulatedPlace { open (target: string): Arena; portsOf: (world: World, machine: string) => PortsOf; /** Sandboxes that are alive, with the process that owns each. */ sandboxes (): { owner: string; id: string }[] }

export interface Simulated {
  seed: number
  /** SHA-256 of all that happened. */
  hash: string
  lines: number
  virtualMs: number
  /** Final state of the run. */
  state: string
  episodes: number
  counts: { works: number; settled: number; cancelled: number; quarantined: number; samples: number; lives: number }
  faults: Record<string, number>
  violations: Violation[]
}

const name = 'run'
const trainer = 'trainer'

/** Time that faults have, and that a run has without them, milliseconds: a piece of work may wait for a policy that hangs, four times over. */
const faultyMs = (episodes: number): number => 600_000 + 30_000 * episodes
const livenessMs = (episodes: number): number => 3_600_000 + 30_000 * episodes
/** From being told to drain to having left. */
const drainMs = 30_000
const leaveMs = drainMs + clusterLimits.abortMs + 60_000
/** How long a sandbox may outlive the work that it was for. */
const sandboxMs = 120_000
const violationsMax = 100

export async function simulate (options: SimulateOptions, place: SimulatedPlace): Promise<Simulated> {
  const { seed, episodes, plan } = options
  const world = createWorld(seed, plan, options.onLine ?? null)
  const { time, fates, random, inner, clock } = world
  const violations: Violation[] = []
  const say: Say = (rule: Rule, what: string) => {
    world.trace('checker', rule, what)
    if (violations.length < violationsMax) violations.push({ rule, what })
  }
  const over = new AbortController()
  let isFaulty = true
  const nodes = Array.from({ length: options.nodes }, (_, index) => openNode(world, place, `n${index + 1}`, say, () => isFaulty))
  let settled = 0

  const document = documentOf(random.fork('run'), options)
  await createDocument(inner, document)
  await inner.queue.add({ kind: 'run', arena: anyArena, run: name, id: leadId }, Buffer.from('{}'))
  for (const watch of [watchOwners, watchWrites]) watch(inner, say, over.signal).catch((error: unknown) => say('defect', String(error)))
  void (async () => {
    for await (const entry of inner.log.records.follow(`${name}.settled`, over.signal)) {
      if (entry === null) continue
      settled++
      options.onEpisode?.(settled)
    }
  })()
  for (const [index, node] of nodes.entries()) time.at(time.now() + 300 * index, () => node.start())
  const training = openTrainer(world)
  schedule(world, nodes, training, () => isFaulty)
  scheduleCommands(world, random.fork('commands'), plan)
  watchLimits(world, nodes, document, say, over.signal)

  // Some runs meet faults to their end, others go on without them from the middle.
  const faultyUntil = episodes * random.fork('until').pick([0.5, 0.8, Infinity])
  let ended = false
  const look = async (): Promise<void> => {
    ended = await hasEnded(world)
    if (!ended) time.at(time.now() + 500, () => void look())
  }
  void look()
  await time.run(() => ended || settled >= faultyUntil, time.now() + faultyMs(episodes))
  isFaulty = false
  world.trace('world', 'faults are over')
  fates.stop()
  training.start()
  for (const node of nodes) calm(node)
  const came = await time.run(() => ended, time.now() + livenessMs(episodes))
  if (came !== 'over') say('liveness', `the run has not ended ${Math.round(livenessMs(episodes) / 60_000)} minutes after faults stopped: ${settled} of ${episodes} episodes are settled`)

  const { state } = await getDocument(inner, name)
  await checkIdle(world, nodes, place, say)
  await drainAll(world, nodes, say)
  await checkTrainer(world, training, say)
  over.abort()
  for (const node of nodes) node.end()
  training.end()
  const aftermath = { inner, retry: createRetry(clock), document: await getDocument(inner, name) }
  const kept = await readKept(aftermath, say)
  checkLedger(kept, say)
  await checkEpisodes(aftermath, kept, say)
  await checkTruth(aftermath, kept, say)
  for (const { id, owner } of place.sandboxes()) say('sandboxes', `the sandbox ${id} of ${owner} is still there after every node has left`)
  const kinds = { settled: 0, cancelled: 0, quarantined: 0 }
  for (const { kind } of kept.endings.values()) kinds[kind]++
  return {
    seed, hash: world.lines.hash(), lines: world.lines.lines, virtualMs: time.now() - simulationStart, state, episodes: kept.outcomes.size, violations, faults: fates.counts,
    counts: { works: kept.dispatched.size, ...kinds, samples: kept.samples.size, lives: nodes.reduce((sum, { lives }) => sum + lives, 0) }
  }
}

/** The run is over, and so is all that was done for it. */
async function hasEnded ({ inner }: World): Promise<boolean> {
  if (!isFinal((await getDocument(inner, name)).state)) return false
  return (await inner.queue.subjects()).length === 0 && (await keptNow(inner.kv.episodes, '', () => null)).size === 0
}

function documentOf (random: Random, { episodes, seed }: SimulateOptions): RunDocument {
  const arenas = 1 + random.int(2)
  const hasTrainer = random.next() < 0.7
  return {
    name, state: 'running', reason: '', submittedAt: simulationStart, inFlight: 1 + random.int(16),
    trainer: hasTrainer ? { name: trainer, aheadBytesMax: random.pick([20_000, 1_000_000]) } : null,
    options: { ...runDefaults, target: 'arena-0', arenas, episodes, seed, group: random.pick([2, 4, 8]), maxOrder: 1 + random.int(2) },
    arenas: Array.from({ length: arenas }, (_, index) => ({ target: `arena-${index}`, setup: null, test: null, opened: null }))
  }
}

function openNode (world: World, place: SimulatedPlace, machine: string, say: Say, isFaulty: () => boolean): SimulatedNode {
  const { time, fates, plan } = world
  const isUndisturbed = faultsOf(plan).every(fault => fault === 'version')
  const node = createSimulatedNode(world, {
    name: machine, slots: { start: 2, run: 8, verify: 2, grade: 4, own: 8 }, drainMs, portsOf: place.portsOf(world, machine), open: place.open,
    onReport: report => {
      if (report.type !== 'delivered') return
      if (report.code === 'DEFECT') say('defect', `${report.work} of ${report.run}: ${report.reason ?? ''}`)
      if (isUndisturbed && report.delivery > 1) say('leases', `${report.work} was delivered ${report.delivery} times, though nothing befell anybody`)
    },
    onCrash: () => { time.at(time.now() + fates.downMs(), () => { if (node.life?.host.state === 'crashed') node.start() }) },
    onPause: () => {}
  })
  // Whoever supervises processes starts one again that has left by a fault, or that somebody drained.
  const look = (): void => {
    const { life } = node
    if (life?.endedAt !== null && life?.endedAt !== undefined && life.host.state !== 'crashed' && isFaulty()) {
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

interface Training { readonly learned: ReadonlySet<string>; readonly host: Host | null; start (): void; end (): void }

function openTrainer (world: World): Training {
  const { time, broker, random } = world
  const reader = broker.attach('samples', trainer, '')
  const training = createTrainer({ reader, random: random.fork('trainer') })
  let host: Host | null = null
  let lives = 0
  const start = (): void => {
    if (host !== null && host.state !== 'crashed') return
    host = createHost({ name: `trainer-${++lives}`, time })
    void training.run(host.clock)
  }
  start()
  return { get learned () { return training.learned }, get host () { return host }, start, end: () => host?.crash() }
}

/** Events of the cluster, each at its rate until faults stop. */
function schedule (world: World, nodes: readonly SimulatedNode[], training: Training, isFaulty: () => boolean): void {
  const { time, fates, random, trace, inner } = world
  const chance = random.fork('events')
  let versions = 0
  const cut = (some: readonly SimulatedNode[], what: string): void => {
    const links = some.flatMap(({ life }) => life === null ? [] : [life.link])
    const ways = chance.pick([['out'], ['in'], ['out', 'in']] as const)
    trace('world', what, `${some.map(({ name }) => name).join(' ')} ${ways.join(' ')}`)
    for (const link of links) link.cut(ways)
    time.at(time.now() + fates.downMs(), () => { for (const link of links) link.mend() })
  }
  const events: Record<Rate, () => void> = {
    partition: () => cut([chance.pick(nodes)], 'partition'),
    outage: () => cut(nodes, 'outage'),
    drain: () => {
      const { life } = chance.pick(nodes)
      if (life !== null && life.host.state === 'up' && life.endedAt === null) life.node.drain()
    },
    trainerAway: () => {
      trace('world', 'the trainer is away')
      training.end()
      time.at(time.now() + fates.downMs(), () => training.start())
    },
    version: () => void announcePolicy(inner, { model: 'policy', version: `step-${++versions}`, at: time.now() })
  }
  for (const [kind, happen] of Object.entries(events) as [Rate, () => void][]) {
    const next = (): void => {
      const ms = fates.next(kind)
      if (ms !== Infinity) time.at(time.now() + ms, () => {
        if (!isFaulty()) return
        fates.count(kind)
        happen()
        next()
      })
    }
    next()
  }
}

/** What users do to a run, where faults are played at all: pause it and let it go on, or cancel it. */
function scheduleCommands ({ time, inner, trace }: World, random: Random, plan: FaultPlan): void {
  const change = (state: RunDocument['state']): void => {
    trace('world', `the run is to be ${state}`)
    void changeDocument(inner, name, document => isFinal(document.state) ? null : { ...document, state })
  }
  if (plan.rates.drain === 0 && plan.chances.crash === 0) return
  if (random.next() < 0.2) {
    const at = time.now() + 10_000 + 60_000 * random.next()
    time.at(at, () => change('paused'))
    time.at(at + 60_000 * random.next(), () => change('running'))
  }
  if (random.next() < 0.1) time.at(time.now() + 20_000 + 120_000 * random.next(), () => change('cancelled'))
}

/** How often it is looked whether anything holds more than it may. */
const limitsLookMs = 10_000

function watchLimits ({ time, inner }: World, nodes: readonly SimulatedNode[], document: RunDocument, say: Say, signal: AbortSignal): void {
  const look = async (): Promise<void> => {
    for (const { life } of nodes) {
      if (life === null || life.host.state !== 'up' || life.endedAt !== null) continue
      const { slots, arenas, node } = life.node.presence()
      for (const [kind, { busy, total }] of Object.entries(slots)) if (busy > total) say('limits', `${node} is at ${busy} pieces of work in its ${total} slots for ${kind}`)
      if (arenas.length > clusterLimits.arenasMax) say('limits', `${node} holds ${arenas.length} arenas, arenasMax is ${clusterLimits.arenasMax}`)
    }
    const { waiting, taken } = await inner.queue.depth('episode', anyArena)
    // A leader that was paused may put one more beside each of the next one's.
    if (waiting + taken > 2 * document.inFlight) say('limits', `${waiting + taken} episodes are on the queue, inFlight is ${document.inFlight}`)
    if (!signal.aborted) time.at(time.now() + limitsLookMs, () => void look())
  }
  void look()
}

/** After the last piece of work, which may be of a run that has ended long ago, no sandbox stays. */
async function checkIdle ({ time }: World, nodes: readonly SimulatedNode[], place: SimulatedPlace, say: Say): Promise<void> {
  const isIdle = (): boolean => nodes.every(({ life }) => life === null || Object.values(life.node.presence().slots).every(({ busy }) => busy === 0))
  if (await time.run(isIdle, time.now() + livenessMs(0)) !== 'over') return say('liveness', 'a node is still at work an hour after the run has ended')
  await time.run(() => false, time.now() + sandboxMs)
  if (isIdle()) for (const { id, owner } of place.sandboxes()) say('sandboxes', `the sandbox ${id} of ${owner} is still there ${sandboxMs} ms after the last piece of work`)
}

async function drainAll ({ time }: World, nodes: readonly SimulatedNode[], say: Say): Promise<void> {
  for (const { life } of nodes) if (life !== null && life.endedAt === null) life.node.drain()
  const haveLeft = (): boolean => nodes.every(({ life }) => life === null || life.endedAt !== null)
  if (await time.run(haveLeft, time.now() + leaveMs) === 'over') return
  for (const { life } of nodes) if (life !== null && life.endedAt === null) say('liveness', `${life.host.name} has not left ${leaveMs} ms after it was told to drain`)
}

async function checkTrainer ({ time, inner }: World, training: Training, say: Say): Promise<void> {
  const missing = new Set<string>()
  const known = new AbortController()
  for await (const entry of inner.log.samples.follow('', known.signal)) {
    if (entry === null) known.abort()
    else missing.add(entry.key)
  }
  const isLearned = (): boolean => {
    for (const key of missing) if (training.learned.has(key)) missing.delete(key)
    return missing.size === 0
  }
  if (await time.run(isLearned, time.now() + 3_600_000) !== 'over') say('samples', `${missing.size} samples never reached the trainer, ${[...missing][0]} is one`)
}
