// The bugs of a run that can be exported: valid ones whose episodes have settled, and their second orders, in the order
// of the run's table. Each with what every format needs, so that the formats only arrange fields.

import { existsSync, readFileSync } from 'node:fs'
import { readArtifact, reversePatch } from '../artifact/index.ts'
import type { Arena, Bug, Strategy } from '../domain.ts'
import { decodeRecord } from '../rollout/record.ts'
import { episodeIdOf } from '../run/draw.ts'
import { breakId } from '../run/ids.ts'
import { summaryOf, type BugSummary } from '../run/summary.ts'
import type { RunStore } from '../store/run.ts'
import { joinPatches, sourceDiff, type OpenTree } from './combine.ts'

export interface ExportedBug {
  bug: Bug
  summary: BugSummary
  strategy: Strategy
  /** Original sources → sources of the bug: the code only. */
  sources: Uint8Array
  /** The way back: applied to the tree of the bug it restores the original sources. */
  gold: Uint8Array
  /** The weakening backwards, as the solver is shown it. */
  oracle: Uint8Array
  /** Original tree → the tree that the solver gets. Its parts touch different files. */
  setup: Uint8Array
  /** When the breaker had made it, ISO 8601; empty where that was not kept. */
  createdAt: string
}

export interface BugExport { arena: Arena; bugs: ExportedBug[] }

export async function exportedBugs (store: RunStore, openTree: OpenTree, orderMax: number): Promise<BugExport> {
  const { arena } = store.file()
  const bugs: ExportedBug[] = []
  for (const summary of summaryOf(store).bugs) {
    if (summary.order > orderMax) continue
    const { bug } = await readArtifact(store.bugDir(summary.id))
    const sources = await sourceDiff(bug, openTree)
    bugs.push({
      bug,
      summary,
      strategy: summary.strategy,
      sources,
      gold: reversePatch(sources),
      oracle: reversePatch(bug.files.testWeaken),
      setup: joinPatches([sources, bug.files.testWeaken]),
      createdAt: createdAt(store, summary)
    })
  }
  return { arena, bugs }
}

function createdAt (store: RunStore, { episode }: BugSummary): string {
  const path = store.path('trajectories', `${breakId(episodeIdOf(episode))}.msgpack`)
  if (!existsSync(path)) return ''
  const { ended_at: endedAt } = decodeRecord(readFileSync(path), path).timing
  return new Date(endedAt).toISOString()
}
