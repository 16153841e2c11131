// What the queue and the machines of one process tell, in the words of a node's reports: its log, metrics and traces read the same.

import type { EpisodeStep } from '../../actors/episode.ts'
import type { RunOutcome } from '../../machines/run.ts'
import type { QueueEvent } from '../bus/memory-queue.ts'
import { leadId, queueKindOf } from '../cluster/keys.ts'
import type { NodeReport } from '../cluster/report.ts'

export interface PlayReports { onQueue (event: QueueEvent): void; onStep (step: EpisodeStep): void; ended (outcome: RunOutcome): void }

type Why = { code?: string; reason?: string }

export function createPlayReports (run: { name: string; submittedAt: number }, report: (event: NodeReport) => void, now: () => number): PlayReports {
  const runAt = now()
  /** When work that is at it was taken, by id; and the first step of episodes. */
  const works = new Map<string, number>()
  const episodes = new Map<string, number>()
  const delivered = (kind: string, work: string, delivery: number, outcome: string, startedAt: number, { code, reason }: Why = {}): void =>
    report({ type: 'delivered', kind, run: run.name, submittedAt: run.submittedAt, work, delivery, outcome, startedAt, ms: now() - startedAt, ...code === undefined ? {} : { code }, ...reason === undefined ? {} : { reason } })
  const left = (work: string): number => {
    const startedAt = works.get(work) ?? now()
    works.delete(work)
    return startedAt
  }
  return {
    onQueue (event) {
      const { id, kind } = event.work
      if (event.type === 'started') works.set(id, now())
      if (event.type === 'redelivered') delivered(queueKindOf(kind), id, event.delivery, 'failed', left(id), event)
      if (event.type === 'ended') delivered(queueKindOf(kind), id, event.ending.deliveries, event.ending.kind, left(id), event.ending.kind === 'quarantined' ? event.ending : {})
    },
    onStep ({ episodeId, outcome }) {
      const startedAt = episodes.get(episodeId)
      if (outcome === null) {
        if (startedAt === undefined) episodes.set(episodeId, now())
        return
      }
      episodes.delete(episodeId)
      // One that had ended before this process was there takes no step.
      delivered('episode', episodeId, 1, startedAt === undefined ? 'known' : 'settled', startedAt ?? now())
    },
    ended (outcome) {
      if (outcome.kind === 'failed' || (outcome.kind === 'finished' && outcome.failed > 0)) delivered('run', leadId, 1, 'failed', runAt, { code: 'RUN_INCOMPLETE', reason: outcome.reason })
      else delivered('run', leadId, 1, outcome.kind === 'finished' ? 'settled' : 'handedBack', runAt)
    }
  }
}
