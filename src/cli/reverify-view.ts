// What `spar reverify` found, for people.

import { kinds, type Changed, type Difference, type Notes, type Rerun } from '../reverify/index.ts'
import type { RunOptions } from '../run/options.ts'
import { renderTable } from './table.ts'

/** What the reward functions take beside outcomes. */
type RewardRule = Pick<RunOptions, 'alpha' | 'minScored'>

export interface ReverifyView extends Pick<Notes, 'checked' | 'given' | 'differences'> {
  run: string
  dir: string
  /** Settled ones. */
  episodes: number
  unsettled: string[]
  rerun: (Omit<Rerun, 'facts'> & { seed: number }) | null
  rule: { before: RewardRule; after: RewardRule }
  rewards: { breaker: Changed; solver: Changed }
  wrote: string | null
}

/** Differences that a person is shown; all of them are in --json. */
const shownMax = 50

export function renderReverified (view: ReverifyView): string {
  const { differences, given, checked, unsettled, rerun } = view
  const section = (title: string, lines: readonly string[]): string[] => lines.length > 0 ? ['', title, ...lines] : []
  const found = (kind: Difference['kind']): number => new Set(differences.filter(({ by, kind: other }) => by === 'evidence' && other === kind).map(({ work }) => work)).size
  return [
    `Run ${view.run} in ${view.dir}: ${view.episodes} settled episodes${unsettled.length > 0 ? `; ${unsettled.length} not settled, nothing is said of them (${brief(unsettled)})` : ''}`,
    '',
    renderTable(['followed from its evidence', 'number', 'differ'], kinds.filter(kind => checked[kind] > 0).map(kind => [`${kind === 'summary' ? 'row of summary.json' : kind}`, String(checked[kind]), String(found(kind))])),
    ...section('Taken as given, since it is not kept', Object.entries(given).sort().map(([what, times]) => `  ${String(times).padStart(5)}  ${what}`)),
    ...section('Run again', rerun === null ? [] : renderRerun(rerun)),
    ...section(ruleOf(view), [renderTable(['role', 'samples', 'other rewards', 'other advantages', 'mean before', 'mean after'], (['breaker', 'solver'] as const).map(role => rowOf(role, view.rewards[role])))]),
    ...section('What differs', differences.length > 0 ? [renderTable(['of', 'field', 'stored', 'recomputed', 'by'], differences.slice(0, shownMax).map(({ work, field, stored, recomputed, by }) => [work, field, shown(stored, recomputed), shown(recomputed, stored), by]))] : []),
    ...differences.length > shownMax ? [`… and ${differences.length - shownMax} more (--json)`] : [],
    '',
    `${ending(view)}${view.wrote === null ? '' : ` Wrote ${view.rewards.breaker.samples + view.rewards.solver.samples} samples to ${view.wrote}`}`
  ].join('\n')
}

function ending ({ episodes, differences, rerun }: ReverifyView): string {
  const open = rerun !== null && rerun.undecided.length > 0 ? ` ${rerun.undecided.length} could not be decided.` : ''
  if (episodes === 0) return 'No episode has settled: there is nothing to follow.'
  return differences.length > 0 ? `${differences.length} differences.${open}` : `All of it follows.${open}`
}

const renderRerun = ({ seed, verdicts, grades, same, differing, undecided }: NonNullable<ReverifyView['rerun']>): string[] => [
  `  ${verdicts} verdicts and ${grades} grades (seed ${seed}): ${same} the same, ${differing} differ, ${undecided.length} undecided`,
  ...undecided.slice(0, shownMax).map(({ work, reason }) => `  ${work}: ${oneLine(reason)}`)
]

function ruleOf ({ rule: { before, after } }: ReverifyView): string {
  const text = ({ alpha, minScored }: RewardRule): string => `α ${alpha}, at least ${minScored} scored`
  return `Rewards (${text(before)}${text(before) === text(after) ? '' : ` → ${text(after)}`})`
}

const rowOf = (role: string, { samples, rewards, advantages, meanBefore, meanAfter }: Changed): string[] =>
  [role, String(samples), String(rewards), String(advantages), rounded(meanBefore), rounded(meanAfter)]

const rounded = (value: number | null): string => value === null ? '–' : String(Number(value.toFixed(4)))

const brief = (ids: readonly unknown[], max = 3): string => ids.slice(0, max).map(id => typeof id === 'string' ? id : JSON.stringify(id)).join(', ') + (ids.length > max ? ` and ${ids.length - max} more` : '')

const oneLine = (text: string): string => {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > 80 ? `${line.slice(0, 80)}…` : line
}

/** Of a list what the other side has not. */
function shown (value: unknown, other: unknown): string {
  if (value === null) return '–'
  if (typeof value === 'number') return rounded(value)
  if (Array.isArray(value)) {
    const alone = Array.isArray(other) ? value.filter(item => !other.some(one => JSON.stringify(one) === JSON.stringify(item))) : value
    return `${value.length}${alone.length > 0 ? `: ${oneLine(brief(alone))}` : ''}`
  }
  return oneLine(typeof value === 'string' ? value : JSON.stringify(value))
}
