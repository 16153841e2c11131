// A rollout that is played in this process: its transcript so far, while there is no record of it.

import type { Turn } from '../domain.ts'
import type { Clock } from '../ports.ts'
import type { ToolRecord } from '../rollout/session.ts'
import { notFound } from './failure.ts'
import type { InspectLimits } from './limits.ts'
import { turnsPerPage, type RolloutView } from './protocol.ts'
import type { Entry, Registry } from './registry.ts'
import type { Update } from './service.ts'
import { turnViews } from './views/turns.ts'

/** What a rollout's entry has beside its snapshots. */
interface Detail { turns: Turn[]; tools: ToolRecord[]; sandbox: RolloutView['sandbox'] }
interface Context { turns: number; tokens: number; turnsMax: number; tokensMax: number }

export async function * liveRollout (registry: Registry, { run, rollout, page }: { run: string; rollout: string; page: number }, { clock, limits, signal }: { clock: Clock; limits: InspectLimits; signal: AbortSignal }): AsyncGenerator<Update> {
  let version = 0
  for (;;) {
    const entry = registry.named(`rollout/${run}/${rollout}`)
    if (entry === null) {
      if (version === 0) throw notFound(`the rollout ${rollout} of ${run} on ${registry.node}`)
      return
    }
    if (entry.version !== version) yield { full: viewOf(entry, page, limits) }
    version = entry.version
    await clock.sleep(limits.recordsMs, signal).catch(() => {})
    if (signal.aborted) return
  }
}

function viewOf (entry: Entry, page: number, limits: InspectLimits): RolloutView {
  const { about, startedAt } = entry
  const { turns, tools, sandbox } = entry.about.detail!() as Detail
  const context = entry.look.context(entry.snapshot) as Context
  const role = about.machine === 'breaker' ? 'breaker' : 'solver'
  return {
    run: about.run!, episode: about.episode ?? '', isLive: true, bug: null, order: Number(/\.solve\.(\d+)/.exec(about.id)?.[1] ?? 1),
    row: { rollout: about.id, role, outcome: 'playing', reason: '', reward: null, advantage: null, policy: null, turns: turns.length, delivery: null, hasRecord: false },
    budget: { turns: { used: context.turns, max: context.turnsMax }, tokens: { used: context.tokens, max: context.tokensMax } },
    startedAt, endedAt: null, sandbox, versions: { start: '', end: '' }, untrainable: null,
    page, pages: Math.max(1, Math.ceil(turns.length / turnsPerPage)), turnsTotal: turns.length,
    turns: turnViews(turns, tools, page, limits.textBytesMax), calls: [], segments: [], findings: []
  }
}
