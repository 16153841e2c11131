// The cluster as lines of a terminal. Names and reasons come from anywhere: nothing of them is obeyed by a terminal.

import type { ActorRow, ClusterView, SilentNode } from './protocol.ts'

export interface TopOptions { columns: number; rows: number; /** Takes out what a terminal would obey. */ neutral: (text: string) => string }

export function topLines ({ at, nodes, queues, ledger, throughput, policies, faults, runs, runsLeftOut }: ClusterView, actors: readonly ActorRow[], silent: readonly SilentNode[], { columns, rows, neutral }: TopOptions): string[] {
  const minutes = throughput.windowMs / 60_000
  const lines = [
    `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')}   ${nodes.filter(({ state }) => state !== 'gone').length} nodes   ${actors.filter(({ status }) => status === 'active').length} actors   last ${minutes} min: ${throughput.episodes} episodes, ${throughput.rollouts} rollouts, ${throughput.works} pieces of work`,
    `ledger: ${ledger.dispatched} dispatched = ${ledger.settled} settled + ${ledger.cancelled} cancelled + ${ledger.quarantined} quarantined${ledger.open > 0 ? ` + ${ledger.open} open` : ''}`,
    `queues: ${queues.map(({ kind, waiting, taken }) => `${kind} ${waiting}+${taken}`).join('   ') || 'none'}   (waiting+taken)`,
    ...policies.length === 0 ? [] : [`policies: ${policies.map(({ model, version }) => `${model} ${version}`).join('   ')}`],
    '',
    ...table(['NODE', 'STATE', 'ACTORS', 'SLOTS (busy/total)', 'UP', 'DELIVERED'], nodes.map(node => [
      node.node, node.state, String(node.actors ?? '?'), node.slots.map(({ kind, busy, total }) => `${kind} ${busy}/${total}`).join(' '), age(at - node.startedAt), Object.entries(node.delivered).map(([kind, count]) => `${kind} ${count}`).join(' ')
    ])),
    ...silent.map(({ node, code, message }) => `silent: ${node} does not tell its actors: ${message} (${code})`),
    '',
    ...table(['RUN', 'STATE', 'EPISODES', 'OPEN', 'TARGET'], runs.map(run => [run.run, run.state + (run.wait === null ? '' : ' (waits)'), `${run.episodes.settled}/${run.episodes.total ?? '∞'}`, String(run.ledger.open), run.targets.join(', ')])),
    ...runsLeftOut === 0 ? [] : [`${runsLeftOut} more runs are not listed`],
    ...faults.length === 0 ? [] : ['', ...table(['FAULT', 'COUNT', 'LAST'], faults.slice(0, 5).map(({ code, count, work, reason }) => [code, String(count), `${work}: ${reason}`]))],
    '',
    ...table(['ACTOR', 'MACHINE', 'STATE', 'FOR', 'FAILED', 'RUN'], busiest(actors).map(actor => [actor.id, actor.machine, actor.state, age(at - actor.sinceAt), String(actor.failures), actor.run ?? '']))
  ]
  return lines.slice(0, Math.max(1, rows)).map(line => neutral(line.replace(/[\r\n\t]+/g, ' ')).slice(0, columns))
}

/** What does something, whoever has been at it longest first. */
const busiest = (actors: readonly ActorRow[]): ActorRow[] => actors
  .filter(({ machine, status, state }) => status === 'active' && machine !== 'node' && machine !== 'work' && !(machine === 'slot' && state === 'pulling'))
  .sort((one, other) => one.sinceAt - other.sinceAt).slice(0, 200)

export function age (ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}`
  return `${Math.floor(seconds / 3_600)}h${String(Math.floor(seconds / 60) % 60).padStart(2, '0')}`
}

/** Cells of one line each; the last column takes what is left. */
function table (head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [head, ...rows].map(row => row.map(cell => cell.slice(0, 200)))
  const widths = head.map((_, column) => Math.min(48, Math.max(...cells.map(row => row[column]!.length))))
  return cells.map(row => row.map((cell, column) => column === head.length - 1 ? cell : cell.slice(0, widths[column]).padEnd(widths[column]!)).join('  '))
}
