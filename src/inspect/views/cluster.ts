// The whole at a glance.

import type { ClusterView, FaultRow, LedgerTotals, NodeRow, QueueRow, RunRow, RunVerb } from '../protocol.ts'
import type { RunReader } from '../records/types.ts'
import { runRow } from './runs.ts'

/** Over which throughput is counted. */
export const windowMs = 5 * 60_000
const faultsMax = 50

export interface ClusterParts {
  at: number
  nodes: NodeRow[]
  queues: QueueRow[]
  policies: ClusterView['policies']
  readers: readonly RunReader[]
  /** Runs beyond those. */
  runsLeftOut: number
  verbs: readonly RunVerb[]
}

export function clusterView ({ at, nodes, queues, policies, readers, runsLeftOut, verbs }: ClusterParts): ClusterView {
  const runs = readers.map(reader => runRow(reader, verbs))
  const counts = readers.map(reader => reader.endedSince(at - windowMs))
  const sum = (of: (counted: typeof counts[number]) => number): number => counts.reduce((total, counted) => total + of(counted), 0)
  return {
    at, nodes, queues, policies, runs, runsLeftOut, ledger: ledgerOf(runs),
    throughput: { windowMs, episodes: sum(({ episodes }) => episodes), rollouts: sum(({ rollouts }) => rollouts), works: sum(({ works }) => works) },
    faults: faultsOf(readers.map(reader => reader.faults()))
  }
}

const isOpen = ({ state }: RunRow): boolean => state === 'running' || state === 'paused' || state === 'unfinished'

/** Of the runs that are not over; where all are, of all. */
function ledgerOf (runs: readonly RunRow[]): LedgerTotals {
  const open = runs.filter(isOpen)
  const sum: LedgerTotals = { dispatched: 0, settled: 0, cancelled: 0, quarantined: 0, open: 0 }
  for (const { ledger } of open.length > 0 ? open : runs) for (const name of Object.keys(sum) as (keyof LedgerTotals)[]) sum[name] += ledger[name]
  return sum
}

function faultsOf (lists: readonly FaultRow[][]): FaultRow[] {
  const faults = new Map<string, FaultRow>()
  for (const fault of lists.flat()) {
    const known = faults.get(fault.code)
    const newer = known === undefined || (fault.at ?? 0) >= (known.at ?? 0) ? fault : known
    faults.set(fault.code, { ...newer, count: fault.count + (known?.count ?? 0) })
  }
  return [...faults.values()].sort((one, other) => other.count - one.count).slice(0, faultsMax)
}
