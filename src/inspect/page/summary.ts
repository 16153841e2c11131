// What is going on now, in one sentence.

import type { ClusterView, EpisodeRow, Hello } from '../protocol.ts'
import { listed, plural, share } from './words.ts'

/** Of all runs whose episodes are known. `rate` null: no attempt has a verdict. */
export interface Figures { verified: number; rejected: number; rate: number | null; inPlay: Record<string, number> }

export function figuresOf (rows: readonly EpisodeRow[]): Figures {
  const bugs = rows.flatMap(row => row.bugs)
  const scored = sum(bugs.map(bug => bug.scored))
  const inPlay: Record<string, number> = {}
  for (const { ending, state } of rows) if (ending === null && state !== 'waiting' && state !== 'done') inPlay[state] = (inPlay[state] ?? 0) + 1
  return {
    verified: rows.filter(row => row.ending?.kind === 'played' || (row.ending === null && row.bugs.length > 0 && !['breaking', 'verifying'].includes(row.state))).length,
    rejected: rows.filter(row => row.ending?.kind === 'rejected').length,
    rate: scored === 0 ? null : sum(bugs.map(bug => bug.solved)) / scored,
    inPlay
  }
}

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0)

/** Two sentences: what is done now, and what came of it so far. */
export function sentenceOf ({ nodes: known, runs, ledger }: ClusterView, figures: Figures | null, source: Hello['source']): { now: string; so: string } {
  if (source === 'folder') return { now: `${listed(runs.map(({ run, state }) => `Run ${run} is ${state}`))}. Nothing here changes by itself.`, so: soOf(ledger, runs, figures) }
  const playing = runs.filter(({ state }) => state === 'running' || state === 'paused')
  const nodes = known.filter(({ state }) => state !== 'gone')
  const busy = sum(nodes.flatMap(({ slots }) => slots).filter(({ kind }) => kind !== 'lead' && kind !== 'own').map(slot => slot.busy))
  return { now: nowOf(playing, nodes, known.length - nodes.length, busy, figures, source), so: soOf(ledger, runs, figures) }
}

function nowOf (playing: ClusterView['runs'], nodes: ClusterView['nodes'], gone: number, busy: number, figures: Figures | null, source: Hello['source']): string {
  const silent = nodes.filter(({ state }) => state === 'silent').length
  const trouble = (silent > 0 ? ` ${plural(silent, 'node')} ${silent === 1 ? 'does' : 'do'} not answer.` : '') + (gone > 0 ? ` ${plural(gone, 'node')} ${gone === 1 ? 'is' : 'are'} gone.` : '')
  const where = source === 'process' ? 'in this process' : `on ${plural(nodes.length, 'node')}`
  if (playing.length === 0 && source === 'process') return 'Nothing is played any more: what this process has played stands below.'
  if (playing.length === 0) return `Nothing is played now: ${nodes.length > 0 ? `${plural(nodes.length, 'node')} ${nodes.length === 1 ? 'waits' : 'wait'} for a run` : 'no node is there'}.${trouble}`
  const who = playing.length === 1 ? `Run ${playing[0]!.run} ${playing[0]!.state === 'paused' ? 'is paused' : 'is playing'}` : `${plural(playing.length, 'run')} are playing`
  const doing = Object.entries(figures?.inPlay ?? {}).map(([state, number], index) => index === 0 ? `${plural(number, 'episode')} ${state}` : `${number} ${state}`)
  const waiting = playing.filter(({ wait }) => wait !== null).length
  return `${who}${doing.length > 0 ? `: ${listed(doing)}` : ''}; ${plural(busy, 'piece')} of work in progress ${where}.${waiting > 0 ? ` ${plural(waiting, 'run')} ${waiting === 1 ? 'waits for its' : 'wait for their'} trainer.` : ''}${trouble}`
}

function soOf (ledger: ClusterView['ledger'], runs: ClusterView['runs'], figures: Figures | null): string {
  const settled = sum(runs.map(({ episodes }) => episodes.settled))
  if (settled === 0 && (figures === null || figures.verified === 0)) return 'No bug is verified and no episode settled yet.'
  const parts = [
    `${plural(settled, 'episode')} settled`,
    ...(figures === null ? [] : [`${plural(figures.verified, 'bug')} verified`, `${figures.rejected} rejected`, ...(figures.rate === null ? [] : [`solvers repair ${share(figures.rate)}`])]),
    ...(ledger.quarantined > 0 ? [`${plural(ledger.quarantined, 'piece')} of work given up`] : [])
  ]
  return `${listed(parts)}.`
}
