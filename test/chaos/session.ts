// One chaos run from its first process to its last check: a calm run, the same run under chaos, and beside it one without an end
// that is cancelled while things break. The command and the test in CI differ in their options alone.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom } from '../../src/random.ts'
import { makeRepository } from './arena.ts'
import { playChaos } from './chaos.ts'
import { busIsClean, check, faultsUnscored, ledgerBalances, nodesAreSeen, nothingLost, nothingQuarantined, nothingTwice, rewardsFollow, sameAs, type Check, type Totals } from './checks.ts'
import { faultTexts, type FaultKind } from './faults.ts'
import { watchLeaks } from './leaks.ts'
import { startCluster, type Cluster } from './cluster.ts'
import type { ChaosNode, SandboxKind } from './nodes.ts'
import { readRecords, type Desk, type RunRecords } from './played.ts'
import { sleep, until } from './processes.ts'
import { quotaOf } from './quota.ts'

export interface SessionOptions {
  folder: string
  binary: string
  /** Whether it knows `sync_interval`. */
  knowsSync: boolean
  size: 1 | 3
  nodes: number
  sandbox: SandboxKind
  seed: number
  episodes: number
  /** How long faults come, at most: they end with the run. */
  chaosMs: number
  ackWaitMs: number
  reapMs: number
  pauseMs: { min: number; max: number }
  group: number
  maxOrder: number
  kinds?: readonly FaultKind[]
  onLine: (line: string) => void
}

export interface Report { checks: Check[]; faults: Record<FaultKind, number>; failures: Record<string, number>; redelivered: number; episodes: number; calmMs: number; chaosMs: number; restMs: number; ownEnds: number; troubles: string[] }

const calm = 'calm'
const wild = 'wild'
const endless = 'endless'
/** How long a run may take after chaos has stopped. */
const restMsMax = 30 * 60_000
/** A node's processes may take a moment to be gone. */
const reapMarginMs = 3_000
/** Of the run that is cancelled. */
const endlessShare = 0.6

export async function playSession (options: SessionOptions): Promise<Report> {
  const { folder, onLine, episodes } = options
  mkdirSync(folder, { recursive: true })
  const repository = join(folder, 'small')
  makeRepository(repository)
  const submission = { repository, seed: options.seed, group: options.group, inFlight: 2 * options.nodes, maxOrder: options.maxOrder }

  const quiet = await startCluster(options, 'calm-cluster')
  let calmMs: number
  try {
    onLine(`${episodes} episodes without chaos`)
    const since = Date.now()
    await quiet.desk.submit({ ...submission, name: calm, episodes })
    await ended(quiet.desk, calm)
    calmMs = Date.now() - since
    await fetched(quiet.desk, calm, join(folder, calm))
    onLine(`done in ${seconds(calmMs)}`)
  } finally { await quiet.end() }

  const cluster = await startCluster(options, 'cluster')
  const leaks = watchLeaks(cluster.nodes)
  try {
    const played = await underChaos(options, cluster, submission)
    const rest = await restChecks(options, cluster, leaks.leaks, played.totals)
    return { ...played.report, checks: [...rest, ...await leftBehind(options, cluster, leaks)], calmMs }
  } finally {
    leaks.close()
    await cluster.end()
  }
}

interface UnderChaos { report: Omit<Report, 'checks' | 'calmMs'>; totals: Record<typeof wild | typeof endless, Totals> }

async function underChaos ({ folder, episodes, seed, chaosMs, pauseMs, kinds, ackWaitMs, onLine }: SessionOptions, { servers, nodes, desk }: Cluster, submission: Omit<Parameters<Desk['submit']>[0], 'name' | 'episodes'>): Promise<UnderChaos> {
  onLine(`${episodes} episodes under chaos`)
  const startedAt = Date.now()
  await desk.submit({ ...submission, name: wild, episodes })
  await desk.submit({ ...submission, name: endless, episodes: 'until stopped', group: 2, inFlight: 1, maxOrder: 1 })
  let isOver = false
  const troubles: string[] = []
  const watched = { wild: ended(desk, wild).finally(() => { isOver = true }), endless: ended(desk, endless) }
  watched.wild.catch(() => {})
  watched.endless.catch(() => {})
  const cancelled = (async () => {
    while (!isOver && Date.now() - startedAt < endlessShare * chaosMs) await sleep(200)
    onLine(`${stamp(startedAt)}  the run without an end is cancelled`)
    await until('cancelling', restMsMax, async () => (await desk.ask('cancel', endless)).code === 0)
  })()
  cancelled.catch(() => {})
  const guard = guardNodes(nodes, what => { troubles.push(what); onLine(`${stamp(startedAt)}  ${what}`) })
  const faults = await playChaos({ nodes, servers, quota: quotaOf(servers), ackWaitMs }, {
    random: createRandom(seed).fork('chaos'), pauseMs, ...(kinds === undefined ? {} : { kinds }),
    until: () => isOver || Date.now() - startedAt > chaosMs,
    onFault: (kind, on) => { guard.expect(on); onLine(`${stamp(startedAt)}  ${kind.padEnd(8)} ${on.padEnd(24)} ${faultTexts[kind]}`) },
    onTrouble: what => { troubles.push(what); onLine(`${stamp(startedAt)}  ${what}`) }
  })
  const stoppedAt = Date.now()
  onLine(`${stamp(startedAt)}  chaos is over, the run is let finish`)
  await cancelled
  const totals = { wild: await watched.wild, endless: await watched.endless }
  const ownEnds = await guard.end()
  const bus = await desk.bus()
  try {
    const records = await readRecords(bus, wild)
    return { totals, report: { faults, troubles, ownEnds, episodes: records.settled.size, chaosMs: stoppedAt - startedAt, restMs: Date.now() - stoppedAt, failures: Object.fromEntries(records.failures), redelivered: redelivered(records) } }
  } finally { await bus.close() }
}

const redelivered = ({ endings }: RunRecords): number => [...endings.values()].filter(({ delivery }) => delivery > 1).length

/** Nodes that end while nobody does anything to them are counted, and started again. */
function guardNodes (nodes: readonly ChaosNode[], onTrouble: (what: string) => void): { expect (name: string): void; end (): Promise<number> } {
  let isOver = false
  let ends = 0
  const expectedAt = new Map<string, number>()
  const watching = (async () => {
    while (!isOver) {
      await sleep(guardMs)
      for (const node of nodes) {
        if (node.isAlive || node.isStarting || Date.now() - (expectedAt.get(node.name) ?? 0) < 60_000) continue
        ends++
        onTrouble(`${node.name} has ended by itself and is started again`)
        await node.start()
      }
    }
  })()
  return { expect: name => { expectedAt.set(name, Date.now()) }, async end () { isOver = true; await watching; return ends } }
}

const guardMs = 500

/** Of a run and its records, once all has come to rest. */
async function restChecks ({ folder, episodes }: SessionOptions, { desk, nodes }: Cluster, leaks: () => string[], totals: UnderChaos['totals']): Promise<Check[]> {
  const dir = join(folder, wild)
  await fetched(desk, wild, dir)
  const bus = await desk.bus()
  try {
    const records = await readRecords(bus, wild)
    return [
      ledgerBalances('the ledger balances', totals.wild), ledgerBalances('the ledger of what was cancelled balances', totals.endless),
      nothingQuarantined(records), nothingLost(dir, episodes, records), nothingTwice(records), rewardsFollow(dir), faultsUnscored(dir), sameAs(join(folder, calm), dir),
      await busIsClean(bus, [wild, endless], episodes), await nodesAreSeen(bus, nodes.map(({ name }) => name))
    ]
  } finally { await bus.close() }
}

/** What dead nodes left is gone after one period of the reaper; what living ones leave, when they have left. */
async function leftBehind ({ reapMs, onLine }: SessionOptions, { nodes }: Cluster, { leaks, seen }: ReturnType<typeof watchLeaks>): Promise<Check[]> {
  const atOnce = leaks()
  onLine(`waiting for one period of the reaper, ${seconds(reapMs)}`)
  await sleep(reapMs + reapMarginMs)
  const later = leaks()
  const codes = await Promise.all(nodes.map(node => node.drain()))
  const after = leaks()
  return [
    check('dead nodes leave nothing behind', later, `${later.length} after one reap period (${atOnce.length} before), ${seen.size} sandboxes`),
    check('nodes that leave take all along', [...after, ...codes.flatMap((code, index) => code === 0 ? [] : [`${nodes[index]!.name} ended with ${code}`])], `${after.length}`)
  ]
}

/** Resolves to the ledger when the run has ended. */
async function ended (desk: Desk, run: string): Promise<Totals> {
  let last = ''
  for (const since = Date.now(); Date.now() - since < restMsMax;) {
    // A watch that loses its bus ends, and is begun again.
    const { json, err } = await desk.ask('watch', run)
    if (json?.ledger !== undefined && json.state === 'failed') throw new Error(`the run ${run} failed: ${json.reason}`)
    if (json?.ledger !== undefined) return json.ledger as Totals
    last = err.slice(-500)
    await sleep(500)
  }
  throw new Error(`the run ${run} did not end: ${last}`)
}

async function fetched (desk: Desk, run: string, dir: string): Promise<void> {
  const { code, err } = await desk.ask('fetch', run, '--out', dir)
  if (code !== 0) throw new Error(`the run ${run} cannot be fetched: ${err}`)
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(0)} s`
const stamp = (since: number): string => `${((Date.now() - since) / 1000).toFixed(1).padStart(6)} s`
