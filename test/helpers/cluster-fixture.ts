// A cluster in one process: nodes on a bus, with handlers that decide by the id of the work instead of playing. Everything
// between them is real: machines, actors, records, deliveries.

import { randomUUID } from 'node:crypto'
import { createBug, createManifest } from '../../src/artifact/index.ts'
import { onAbort } from '../../src/bus/abort.ts'
import { upToNow } from '../../src/bus/now.ts'
import type { Bus } from '../../src/bus/types.ts'
import { getDocument, type RunDocument } from '../../src/cluster/document.ts'
import { createLedgerCount, type LedgerCount } from '../../src/cluster/ledger.ts'
import { clusterLimits, type Slots } from '../../src/cluster/limits.ts'
import type { NodeReport } from '../../src/cluster/report.ts'
import { createRetry } from '../../src/cluster/retry.ts'
import { submitRun } from '../../src/cluster/submit.ts'
import { systemClock } from '../../src/clock.ts'
import { checkNames, type Arena, type Verdict } from '../../src/domain.ts'
import { SparError } from '../../src/errors.ts'
import type { Registry } from '../../src/inspect/registry.ts'
import type { Clock } from '../../src/ports.ts'
import { deriveSeed } from '../../src/random.ts'
import { runDefaults, type RunOptions } from '../../src/run/options.ts'
import { attemptPath, bugFolder, output, submissionFolder, trajectoryPath, type WorkOutput } from '../../src/store/episodes.ts'
import { startNode, type RunningNode } from '../../actors/node.ts'
import type { Delivery } from '../../src/bus/work.ts'
import type { WorkHandlers, Workplace } from '../../actors/work/types.ts'
import type { BreakResult, GradeResult, SolveResult } from '../../src/run/results.ts'

export const standInArena = (target: string): Arena => ({
  id: `${target.replace(/[^a-z0-9]/g, '').padEnd(16, '0').slice(0, 16)}`, target, name: target, commit: 'c'.repeat(40), tree: 't'.repeat(40), image: null, imagePath: null, dir: '/nowhere', ecosystem: 'node',
  runner: 'custom', testCommand: null, mounts: [], path: [], env: {}, testFiles: [], commits: 1
})

const policy = { name: 'stand-in', version: '1' }
const text = (value: string): Uint8Array => Buffer.from(value)

export interface StandIn {
  /** Before a handler answers; may throw or wait. */
  before? (delivery: Delivery): Promise<void> | void
  /** Bytes of the trajectories. */
  trajectoryBytes?: number
  /** Grades whatever patch comes. */
  anyPatch?: boolean
}

/** Handlers whose answers follow from run, seed and id alone, whoever gives them and however often. */
export function standInHandlers ({ before = () => {}, trajectoryBytes = 100, anyPatch = false }: StandIn = {}): WorkHandlers {
  const chance = (place: Workplace, id: string): number => deriveSeed(place.options.seed, id) % 100
  const bugOf = (place: Workplace, id: string) => createBug({ testScript: text('true\n'), testFiles: text('test/a.js\n'), testParser: text('//\n'), parserName: 'test_parser.js', bugInject: text(`${place.store.run} ${id}\n`), testWeaken: text('weaken\n'), predPatch: null })
  const handle = <Result>(answer: (place: Workplace, delivery: Delivery) => Promise<WorkOutput<Result>>) => async (place: Workplace, delivery: Delivery): Promise<WorkOutput<Result>> => {
    await before(delivery)
    delivery.signal.throwIfAborted()
    return await answer(place, delivery)
  }
  return {
    break: handle<BreakResult>(async (place, { work: { id }, delivery }) => {
      const bug = bugOf(place, id)
      const manifest = createManifest(bug, place.arena, { params: { minPassing: 1, minFiles: 1, minFailing: 1 }, strategy: 'removal', seed: 1, policy, verdict: null })
      return output({ outcome: 'scored', reason: '', bugId: bug.id, policy, turns: 1, delivery }, { artifact: { folder: submissionFolder(id), bug, manifest }, files: [{ path: trajectoryPath(id), bytes: new Uint8Array(trajectoryBytes) }] })
    }),
    verify: handle<Verdict>(async (place, { work: { id, payload } }) => {
      const { bug, manifest } = await place.store.submission((payload as { episodeId: string }).episodeId)
      const valid = chance(place, id) >= 10
      const failed = valid ? null : 'bug' as const
      const verdict: Verdict = { bugId: bug.id, decided: true, valid, failed, mode: 'strict', files: ['a.js'], f2p: ['a'], p2p: ['b'], quarantined: [], checks: checkNames.map(name => ({ name, verdict: name === failed ? 'fail' : 'pass', reason: '', evidence: {} })) }
      return output(verdict, { artifact: { folder: valid ? bugFolder(bug.id) : `rejected/${bug.id}`, bug, manifest: { ...manifest!, verdict } } })
    }),
    solve: handle<SolveResult>(async (place, { work: { id, payload }, delivery }) => {
      await place.store.bug(payload as never)
      const submitted = chance(place, id) >= 5
      return output({ outcome: submitted ? 'scored' : 'policy_fault', reason: '', submitted, policy, turns: 2, delivery }, {
        files: [{ path: trajectoryPath(id), bytes: new Uint8Array(trajectoryBytes) }, ...submitted ? [{ path: attemptPath(id), bytes: text(`patch of ${id}\n`) }] : []]
      })
    }),
    grade: handle<GradeResult>(async (place, { work: { id }, delivery }) => {
      const patch = Buffer.from(await place.store.attempt(id.replace('.grade.', '.solve.'))).toString()
      if (!anyPatch && patch !== `patch of ${id.replace('.grade.', '.solve.')}\n`) throw new SparError('WRONG_PATCH', `the patch of another attempt was graded: ${patch}`)
      const solved = chance(place, id) < 40
      return output({ grade: { solved, outcome: solved ? 'solved' : 'failing', reason: '', missing: [], failing: solved ? [] : ['a'], evidence: {} }, delivery })
    })
  }
}

/** What hangs until its node gives it up. */
export const untilAborted = async (signal: AbortSignal): Promise<never> => await new Promise((_, reject) => onAbort([signal], () => reject(signal.reason as Error)))

export interface TestNode extends RunningNode { events: NodeReport[] }

export interface NodeFixture { bus: Bus; nodeId: string; clock?: Clock; slots?: Partial<Slots>; standIn?: StandIn; limits?: Partial<typeof clusterLimits>; drainMs?: number; open?: (target: string) => Promise<Arena>; handlers?: WorkHandlers; registry?: Registry }

export function startTestNode ({ bus, nodeId, clock = systemClock, slots, standIn, limits, drainMs = 2000, open = async target => standInArena(target), handlers, registry }: NodeFixture): TestNode {
  const events: NodeReport[] = []
  const node = startNode({
    nodeId, bus, drainMs, slots: { start: 2, run: 4, verify: 2, grade: 2, own: 4, ...slots }, about: { host: 'here', pid: 1, version: '0', labels: {} },
    limits: { heartbeatMs: 200, redeliverMs: 5, ...limits }, open: async ({ target }) => await open(target), onEvent: event => events.push(event),
    ports: { clock, newId: randomUUID, sandboxes: null as never, verify: null as never, policiesOf: async () => ({ breaker: policy as never, solver: policy as never }), handlers: handlers ?? standInHandlers(standIn), registry }
  })
  return Object.assign(node, { events })
}

export const documentOf = (name: string, options: Partial<RunOptions> = {}, targets: string[] = ['one']): RunDocument => ({
  name, state: 'running', reason: '', inFlight: 4, trainer: null, submittedAt: 1, options: { ...runDefaults, target: targets[0]!, episodes: 6, group: 4, arenas: targets.length, ...options },
  arenas: targets.map(target => ({ target, setup: null, test: null, opened: null }))
})

export async function submit (bus: Bus, document: RunDocument): Promise<void> {
  await submitRun(bus, createRetry(systemClock), document)
}

/** Waits until the run has ended, and counts its ledger. */
export async function ended (bus: Bus, run: string, timeoutMs = 60_000): Promise<{ document: RunDocument; ledger: LedgerCount; samples: Map<string, number> }> {
  const over = AbortSignal.timeout(timeoutMs)
  let isOver = false
  for await (const entry of bus.kv.runs.watch(run, over)) {
    if (entry !== null && entry.bytes !== null && ['done', 'failed', 'cancelled'].includes((await getDocument(bus, run)).state)) { isOver = true; break }
  }
  if (!isOver) throw new Error(`the run ${run} did not end within ${timeoutMs} ms`)
  return { document: await getDocument(bus, run), ledger: await countLedger(bus, run), samples: await countSamples(bus, run) }
}

export async function countLedger (bus: Bus, run: string): Promise<LedgerCount> {
  const ledger = createLedgerCount()
  for await (const entry of upToNow(signal => bus.log.records.follow(run, signal))) {
    ledger.enter(entry)
  }
  return ledger
}

/** How often each rollout is among the samples. */
export async function countSamples (bus: Bus, run: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for await (const entry of upToNow(signal => bus.log.samples.follow(run, signal))) {
    counts.set(entry.key, (counts.get(entry.key) ?? 0) + 1)
  }
  return counts
}

/** A bus whose calls hang once it is severed, as those of a process that was killed or paused; `mend` lets them go on. */
export function severable (bus: Bus): { bus: Bus; sever (): void; mend (): void } {
  let mended = Promise.resolve()
  let mend = (): void => {}
  let isCut = false
  const wrap = <Port extends object>(port: Port): Port => new Proxy(port, {
    get (target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value === 'function') {
        return (...given: unknown[]): unknown => {
          if (!isCut) return (value as (...given: unknown[]) => unknown).apply(target, given)
          return mended.then(() => (value as (...given: unknown[]) => unknown).apply(target, given))
        }
      }
      return typeof value === 'object' && value !== null ? wrap(value) : value
    }
  })
  // Messages that were taken answer through the same wire.
  const wired: Bus = { ...wrap(bus), queue: { ...wrap(bus.queue), ackWaitMs: bus.queue.ackWaitMs, pull: async (...given) => {
    const message = await wrap(bus.queue).pull(...given)
    return message === null ? null : { ...message, ack: async () => { await mended; await message.ack() }, working: () => { if (!isCut) message.working() }, again: delayMs => { void mended.then(() => message.again(delayMs)) } }
  } } }
  return {
    bus: wired,
    sever () { isCut = true; mended = new Promise(resolve => { mend = resolve }) },
    mend () { isCut = false; mend() }
  }
}
