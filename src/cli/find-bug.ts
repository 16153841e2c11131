// Bugs of a run by id: valid ones in `bugs/`, rejected ones in `rejected/`, and submissions that nobody has decided on.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SparError } from '../errors.ts'
import { episodeIdOf } from '../run/draw.ts'
import { breakId, settleId, verifyId } from '../run/ids.ts'
import type { BreakResult } from '../run/results.ts'
import type { SettledEpisode } from '../run/settle.ts'
import type { RunStore } from '../store/run.ts'
import type { Verdict } from '../domain.ts'

export type BugState = 'valid' | 'rejected' | 'undecided'
export interface FoundBug { id: string; state: BugState; dir: string; episodes: { number: number; order: 1 | 2 }[] }

export function allBugs (store: RunStore): FoundBug[] {
  const found = new Map<string, FoundBug>()
  const place = (id: string, state: BugState, dir: string): FoundBug => {
    const bug = found.get(id) ?? { id, state, dir, episodes: [] }
    found.set(id, bug)
    return bug
  }
  for (const [folder, state] of [['bugs', 'valid'], ['rejected', 'rejected']] as const) {
    for (const id of listBugs(store.path(folder))) place(id, state, store.path(folder, id))
  }
  for (let number = 1; number <= store.file().options.episodes; number++) {
    const episodeId = episodeIdOf(number)
    const broken = store.result<BreakResult>(breakId(episodeId))?.bugId ?? null
    if (broken !== null) place(broken, 'undecided', store.path('submissions', breakId(episodeId))).episodes.push({ number, order: 1 })
    const second = secondOrder(store, episodeId)
    if (second !== null) found.get(second)?.episodes.push({ number, order: 2 })
  }
  return [...found.values()]
}

const listBugs = (folder: string): string[] => existsSync(folder) ? readdirSync(folder).filter(name => /^bug-[0-9a-f]+$/.test(name)).sort() : []

/** From the settled episode, else from what is being played. */
function secondOrder (store: RunStore, episodeId: string): string | null {
  const settled = store.result<SettledEpisode>(settleId(episodeId))
  const playing = (store.snapshot(episodeId) as { context?: { bugs?: SettledEpisode['bugs'] } } | null)?.context?.bugs
  return (settled?.bugs ?? playing ?? []).find(bug => bug.order === 2)?.bugId ?? null
}

/** By id or the beginning of one, with or without `bug-`. Throws BUG_NOT_FOUND, BUG_AMBIGUOUS. */
export function findBug (store: RunStore, wanted: string): FoundBug {
  const bugs = allBugs(store)
  const start = wanted.startsWith('bug-') ? wanted : `bug-${wanted}`
  const exact = bugs.find(bug => bug.id === start)
  const matches = exact ? [exact] : bugs.filter(bug => bug.id.startsWith(start))
  if (matches.length === 1) return matches[0]!
  const shown = (ids: string[]): string => ids.slice(0, 8).join(', ') + (ids.length > 8 ? ` and ${ids.length - 8} more` : '')
  if (matches.length > 1) {
    const ids = matches.map(bug => bug.id)
    throw new SparError('BUG_AMBIGUOUS', `Cannot tell which bug "${wanted}" is: ${shown(ids)} begin with it. Give more of the id.`, { data: { matches: ids } })
  }
  const nearest = bugs.map(bug => bug.id).sort((a, b) => distance(start, a) - distance(start, b) || (a < b ? -1 : 1)).slice(0, 3)
  const hint = nearest.length > 0 ? `The nearest are ${nearest.join(', ')}.` : 'The run has none yet.'
  throw new SparError('BUG_NOT_FOUND', `Cannot find bug "${wanted}" in the run ${store.run}. ${hint}`, { data: { nearest } })
}

/** Edits from the beginning of `id` that is as long as `wanted`, so that half an id with a slip is still near. */
function distance (wanted: string, id: string): number {
  const [a, b] = [wanted.slice(0, 64), id.slice(0, wanted.length)]
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row.at(-1)!
}

/** The verdict on a bug; for the second order its first's, which holds for both. */
export const verdictOf = (store: RunStore, bug: FoundBug): Verdict | null =>
  bug.episodes.map(({ number }) => store.result<Verdict>(verifyId(episodeIdOf(number)))).find(verdict => verdict !== null) ?? null

export function readIfThere (path: string): Uint8Array | null {
  return existsSync(path) ? readFileSync(path) : null
}

export const transcriptPath = (store: RunStore, rolloutId: string): string | null => {
  const path = join('transcripts', `${rolloutId}.md`)
  return existsSync(store.path(path)) ? path : null
}
