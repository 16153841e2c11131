// A run of the cluster, live: its ledger from the records, its episodes from what their owners say, its nodes from who is there.
// What is shown last is the state of the records, not of anybody's memory.

import type { EpisodeStep } from '../../actors/episode.ts'
import type { Bus } from '../bus/types.ts'
import { unpack } from '../cluster/codec.ts'
import { getDocument, isFinal, readDocument, type RunDocument } from '../cluster/document.ts'
import { readRecordKey } from '../cluster/keys.ts'
import { createLedgerCount, type LedgerCount } from '../cluster/ledger.ts'
import { listNodes, type NodePresence } from '../cluster/presence.ts'
import { readEnding } from '../cluster/records.ts'
import type { TrainerWait } from '../cluster/wait-for-trainer.ts'
import { systemClock } from '../clock.ts'
import { drawEpisode } from '../run/draw.ts'
import { untilStopped } from '../run/options.ts'
import { countAttempts } from '../run/settle.ts'
import { exitNo, type Io } from './command.ts'
import { mib } from './table.ts'
import { createView, type View } from './view.ts'
import { neutralJson } from './terminal.ts'

/** How often the nodes are looked at. */
const nodesMs = 1_000
/** How long the last endings may come after the run's own. */
const restMsMax = 30_000

export async function watchRun (bus: Bus, run: string, io: Io, json: boolean): Promise<number> {
  const document = await getDocument(bus, run)
  const view = createView(io, process.stderr)
  const over = new AbortController()
  const ledger = createLedgerCount()
  view.note(`${run}: ${document.options.episodes === untilStopped ? 'episodes until it is stopped' : `${document.options.episodes} episodes`} on ${document.arenas.map(({ target }) => target).join(', ')} (groups of ${document.options.group}, seed ${document.options.seed})`)
  const following = [
    followRecords(bus, run, ledger, view, over.signal),
    followSteps(bus, document, view, over.signal),
    followNodes(bus, view, ledger, document, over.signal)
  ]
  try {
    const last = await Promise.race([finalDocument(bus, run, view, over.signal), Promise.all(following).then(() => { throw new Error('watching ended') })])
    await rest(ledger)
    view.end()
    const totals = ledger.totals()
    if (json) io.out(neutralJson({ run, state: last.state, reason: last.reason, episodes: ledger.episodes(), ledger: totals }))
    else io.out(`${run} is ${last.state}${last.reason === '' ? '' : `: ${last.reason}`}\n${ledger.episodes()} episodes. ${ledgerText(ledger)}`)
    return last.state === 'done' ? 0 : exitNo
  } finally {
    over.abort()
    await Promise.allSettled(following)
  }
}

const ledgerText = (ledger: LedgerCount): string => {
  const { dispatched, settled, cancelled, quarantined, open } = ledger.totals()
  return `Ledger: ${dispatched} dispatched = ${settled} settled + ${cancelled} cancelled + ${quarantined} quarantined${open > 0 ? ` + ${open} open` : ''}.`
}

/** What was in flight when a run was cancelled ends a moment later. */
async function rest (ledger: LedgerCount): Promise<void> {
  const until = systemClock.now() + restMsMax
  while (ledger.totals().open > 0 && systemClock.now() < until) await systemClock.sleep(50)
}

async function finalDocument (bus: Bus, run: string, view: View, signal: AbortSignal): Promise<RunDocument> {
  let state = ''
  for await (const entry of bus.kv.runs.watch(run, signal)) {
    if (entry === null || entry.bytes === null || entry.key !== run) continue
    const document = readDocument(entry.bytes, run)
    if (document.state !== state && state !== '') view.note(`  the run is ${document.state}${document.reason === '' ? '' : `: ${document.reason}`}`)
    state = document.state
    if (isFinal(document.state)) return document
  }
  throw new Error('watching ended')
}

async function followRecords (bus: Bus, run: string, ledger: LedgerCount, view: View, signal: AbortSignal): Promise<void> {
  let isNews = false
  for await (const entry of bus.log.records.follow(run, signal)) {
    if (entry === null) { isNews = true; continue }
    ledger.enter(entry)
    const name = readRecordKey(entry.key)
    if (!isNews || name?.kind !== 'work' || name.entry !== 'ended') continue
    const ending = readEnding(entry.bytes, entry.key)
    if (ending.kind === 'quarantined') view.note(`  ${name.work} is quarantined: ${ending.reason} [${ending.code}]`)
    else if (ending.delivery > 1) view.note(`  ${name.work} ${ending.kind} on ${ending.node}, at delivery ${ending.delivery}`)
  }
}

async function followSteps (bus: Bus, { name, options }: RunDocument, view: View, signal: AbortSignal): Promise<void> {
  for await (const { topic, bytes } of bus.signals(`steps.${name}`, signal)) {
    const { step, node } = unpack<{ step: EpisodeStep; node: string }>(bytes, topic)
    const { strategy } = drawEpisode(options, step.number)
    const bug = step.bugs.at(-1)
    const ending = step.outcome?.ending
    const detail = ending !== undefined && ending.kind !== 'played' ? `${ending.kind === 'rejected' ? `rejected by "${ending.failed}"` : `no bug (${ending.outcome})`}: ${ending.reason}` : bug === undefined ? '' : `${bug.bugId}${bug.order > 1 ? ' (second order)' : ''}`
    view.episode({ number: step.number, strategy, state: step.outcome ? 'done' : step.state, group: options.group, ...countAttempts(bug?.attempts ?? []), detail: `${detail} on ${node}` })
  }
}

/** `waits for its trainer "trainer": 300.2 MiB of samples before it, 256 allowed`. */
export const waitText = ({ trainer, bytes, bytesMax }: TrainerWait): string => `waits for its trainer "${trainer}": ${mib(bytes)} MiB of samples before it, ${mib(bytesMax)} allowed`

const waitOf = (nodes: readonly NodePresence[], run: string): TrainerWait | null => nodes.flatMap(({ waits }) => waits).find(wait => wait.run === run) ?? null

async function followNodes (bus: Bus, view: View, ledger: LedgerCount, { name, options }: RunDocument, signal: AbortSignal): Promise<void> {
  let there = new Set<string>()
  let waited = false
  while (!signal.aborted) {
    const nodes = await listNodes(bus).catch(() => null)
    if (nodes !== null) {
      const now = new Set(nodes.map(({ node }) => node))
      for (const { node, host, slots } of nodes) if (!there.has(node)) view.note(`  node ${node} is there (${host}, ${Object.entries(slots).map(([kind, { total }]) => `${kind} ${total}`).join(', ')})`)
      for (const node of there) if (!now.has(node)) view.note(`  node ${node} is gone: what it had taken is delivered again`)
      there = now
      const wait = waitOf(nodes, name)
      if (waited !== (wait !== null)) view.note(wait === null ? '  the run waits no more: its trainer has caught up' : `  the run ${waitText(wait)}`)
      waited = wait !== null
      const busy = nodes.map(({ node, slots }) => `${node} ${Object.values(slots).reduce((sum, slot) => sum + slot.busy, 0)}`).join(', ')
      view.progress(`  ${ledger.episodes()}/${options.episodes === untilStopped ? '∞' : options.episodes} episodes · ${ledgerText(ledger)}${wait === null ? '' : ` · ${waitText(wait)}`} · at work: ${busy || 'no node is there'}`)
    }
    await systemClock.sleep(nodesMs, signal).catch(() => {})
  }
}
