// A run as a table for people.

import { solveRate } from '../rewards/index.ts'
import { summaryOf, type BugSummary, type RunSummary } from '../run/summary.ts'
import type { RunStore } from '../store/run.ts'
import { shownPath } from './command.ts'
import { renderTable } from './table.ts'

const head = ['bug', 'episode', 'strategy', 'files', 'F2P', 'P2P', 'checks', 'solved', 'breaker', 'solver']

export function renderSummary (store: RunStore): { text: string; summary: RunSummary } {
  const summary = summaryOf(store)
  return { text: [summary.bugs.length > 0 ? renderTable(head, summary.bugs.map(rowOf)) : 'No bug was valid.', '', ...closing(store, summary)].join('\n'), summary }
}

const signed = (reward: number | null): string => reward === null ? '–' : `${reward > 0 ? '+' : ''}${Number(reward.toFixed(3))}`

const rowOf = (bug: BugSummary): string[] => [
  bug.order > 1 ? `└ ${bug.id}` : bug.id,
  String(bug.episode),
  bug.order > 1 ? '2nd order' : bug.strategy,
  String(bug.files.length),
  String(bug.f2p.length),
  String(bug.p2p.length),
  bug.order > 1 ? '–' : `${bug.checks.passed}/${bug.checks.total}`,
  `${bug.solved}/${bug.scored}${bug.scored < bug.dispatched ? ` of ${bug.dispatched}` : ''}`,
  signed(bug.breakerReward),
  signed(bug.solverReward)
]

function closing (store: RunStore, summary: RunSummary): string[] {
  const first = summary.bugs.filter(bug => bug.order === 1)
  const between = first.filter(bug => { const rate = solveRate(bug); return rate !== null && rate > 0 && rate < 1 })
  const { dispatched, settled, cancelled, quarantined } = summary.ledger
  const lost = [...Object.entries(summary.rejected).map(([check, count]) => `${count} rejected by "${check}"`), ...Object.entries(summary.faults).map(([outcome, count]) => `${count} without a bug (${outcome})`)]
  return [
    `${first.length} valid bugs in ${summary.episodes} episodes${lost.length > 0 ? ` (${lost.join(', ')})` : ''}; ${between.length} of them solved by some attempts and not by others.`,
    `Ledger: ${dispatched} dispatched = ${settled} settled + ${cancelled} cancelled + ${quarantined} quarantined.`,
    `Kept in ${shownPath(store.dir)} (bugs, attempts, transcripts, trajectories, samples.jsonl). Look closer: spar show ${shownPath(store.dir)} <bug>`
  ]
}
