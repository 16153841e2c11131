// The value of a topic from what the server sends: whole, then changes onto it. Lists are as long as the server's limits at most.

import { actorLimits, type ActorChange, type ActorRow, type ActorsChange, type ActorsView, type ActorView, type EpisodeRow, type EpisodesChange, type EpisodesView } from '../protocol.ts'

export interface Fold { full (value: unknown): void; change (change: unknown): void; value (): unknown }

export function foldOf (topic: string): Fold {
  const kind = topic.split('/')[0]
  if (kind === 'actors') return foldActors()
  if (kind === 'episodes') return foldEpisodes()
  if (kind === 'actor') return foldActor()
  return foldWhole()
}

function foldWhole (): Fold {
  let value: unknown
  return { full: given => { value = given }, change: () => {}, value: () => value }
}

/** Rows by key, and what stands beside them; the list is made when somebody asks for it. */
function foldRows<Row, View extends { rows: Row[]; leftOut: number }> (keyOf: (row: Row) => string): Fold {
  const rows = new Map<string, Row>()
  let rest: object = { leftOut: 0 }
  let made: object | null = null
  return {
    full (value) {
      const { rows: all, ...others } = value as View
      rows.clear()
      for (const row of all) rows.set(keyOf(row), row)
      rest = others
      made = null
    },
    change (change) {
      const { rows: changed, gone = [], ...others } = change as { rows: Row[]; gone?: string[]; leftOut: number }
      for (const row of changed) rows.set(keyOf(row), row)
      for (const key of gone) rows.delete(key)
      rest = others
      made = null
    },
    value: () => made ??= { rows: [...rows.values()], ...rest }
  }
}

const foldActors = (): Fold => foldRows<ActorRow, ActorsView & ActorsChange>(({ key }) => key)
const foldEpisodes = (): Fold => foldRows<EpisodeRow, EpisodesView & EpisodesChange>(({ episode }) => episode)

function foldActor (): Fold {
  let view: ActorView | null = null
  return {
    full: value => { view = value as ActorView },
    change (change) {
      if (view === null) return
      const { row, children, steps, stepsLeftOut, events, eventsLeftOut } = change as ActorChange
      view = {
        row, children, stepsLeftOut, eventsLeftOut,
        steps: [...view.steps, ...steps].slice(-actorLimits.stepsMax),
        events: [...view.events, ...events].slice(-actorLimits.eventsMax)
      }
    },
    value: () => view
  }
}
