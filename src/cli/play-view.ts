// What a run reports, turned into the live view.

import type { EpisodeStep } from '../../actors/episode.ts'
import type { QueueEvent } from '../bus/memory-queue.ts'
import type { BreakResult } from '../run/results.ts'
import { breakId } from '../run/ids.ts'
import { drawEpisode } from '../run/draw.ts'
import { countAttempts } from '../run/settle.ts'
import type { RunStore } from '../store/run.ts'
import { shownPath, type Io } from './command.ts'
import { createView } from './view.ts'

export interface PlayView { onQueue (event: QueueEvent): void; onStep (step: EpisodeStep): void; end (): void }

export function playView (store: RunStore, io: Io): PlayView {
  const { options } = store.file()
  const view = createView(io, process.stderr)
  let done = 0
  view.note(`Playing ${options.episodes} episodes on ${options.target} (groups of ${options.group}, seed ${options.seed}), kept in ${shownPath(store.dir)}`)
  return {
    onQueue: event => {
      if (event.type === 'redelivered') view.note(`  ${event.work.id} is issued again (delivery ${event.delivery}): ${event.reason} [${event.code}]`)
      if (event.type === 'ended' && event.ending.kind === 'quarantined') view.note(`  ${event.work.id} is quarantined: ${event.ending.reason} [${event.ending.code}]`)
      const { dispatched, settled, cancelled, quarantined } = store.ledger.totals()
      view.progress(`  ${done}/${options.episodes} episodes · work: ${dispatched} dispatched, ${settled} settled, ${cancelled} cancelled, ${quarantined} quarantined`)
    },
    onStep: step => {
      const { strategy, params } = drawEpisode(options, step.number)
      const bug = step.bugs.at(-1)
      const counted = countAttempts(bug?.attempts ?? [])
      if (step.outcome) done++
      view.episode({
        number: step.number, strategy, state: step.outcome ? 'done' : step.state, group: options.group, ...counted,
        detail: step.outcome ? endingText(store, step) : bug ? `${bug.bugId}${bug.order > 1 ? ' (second order)' : ''}` : `${params.minFiles} file${params.minFiles > 1 ? 's' : ''} wanted`
      })
    },
    end: () => view.end()
  }
}

function endingText (store: RunStore, { outcome, episodeId }: EpisodeStep): string {
  const { ending, bugs } = outcome!
  if (ending.kind === 'rejected') return `rejected by "${ending.failed}": ${ending.reason}`
  if (ending.kind === 'fault') return `no bug (${ending.outcome}): ${ending.reason || store.result<BreakResult>(breakId(episodeId))?.reason || ''}`
  return bugs.map(bug => {
    const { solved, scored } = countAttempts(bug.attempts)
    return `${bug.bugId} solved ${solved}/${scored}${bug.order > 1 ? ' (second order)' : ''}`
  }).join(', ')
}
