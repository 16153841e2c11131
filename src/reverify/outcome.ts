// What became of an episode, from the results of its work: who wrote what settled is not asked. Pure.

import { settleId } from '../run/ids.ts'
import type { SettledEpisode } from '../run/settle.ts'
import type { AttemptFacts, EpisodeFacts } from './facts.ts'
import type { Notes } from './notes.ts'

type Ending = SettledEpisode['ending']
type Attempt = SettledEpisode['bugs'][number]['attempts'][number]

export function outcomeOf (facts: EpisodeFacts): SettledEpisode {
  const { episodeId, settled } = facts
  const ending = endingOf(facts)
  // What was played has a bug, whatever settled says.
  const missing = ending.kind === 'played' && settled.bugs.length === 0 ? [{ bugId: facts.broken!.bugId!, order: 1, attempts: [] }] : []
  return {
    episodeId,
    ending,
    bugs: missing.length > 0 ? missing : settled.bugs.map(({ bugId, order, attempts }, index) => ({ bugId, order, attempts: attempts.map((attempt, at) => attemptOf(facts.attempts[index]![at]!, attempt, ending)) }))
  }
}

function endingOf ({ settled, broken, verdict }: EpisodeFacts): Ending {
  const stored = settled.ending
  if (isTaken(stored) && (isGivenUp(settled) || stored.outcome === 'cancelled')) return stored
  if (broken === null) return lost(stored, 'its breaker has no result')
  if (broken.bugId === null || broken.outcome !== 'scored') return { kind: 'fault', outcome: broken.outcome === 'scored' ? 'policy_fault' : broken.outcome, reason: broken.reason }
  if (verdict === null) return lost(stored, 'its bug has no verdict')
  if (!verdict.decided) return lost(stored, 'its verdict is not decided')
  return verdict.valid ? { kind: 'played' } : { kind: 'rejected', failed: verdict.failed!, reason: verdict.reason }
}

/** Infrastructure took it, or somebody took it back. */
const isTaken = (ending: Ending): ending is Extract<Ending, { kind: 'fault' }> => ending.kind === 'fault' && ending.outcome !== 'policy_fault'

/** An episode that was given up as a whole, whatever of its work was done. */
export const isGivenUp = ({ ending, bugs }: SettledEpisode): boolean => isTaken(ending) && bugs.length === 0

const lost = (stored: Ending, reason: string): Ending => isTaken(stored) ? stored : { kind: 'fault', outcome: 'infra_fault', reason }

function attemptOf ({ member, played, grade }: AttemptFacts, stored: Attempt, ending: Ending): Attempt {
  // There was no bug to repair: the attempt is left out.
  if (ending.kind === 'rejected') return { member, outcome: 'stale', solved: null, reason: `the bug is rejected by "${ending.failed}"` }
  if (played === null) return lostAttempt(stored, 'the rollout has no result')
  if (!played.submitted) return { member, outcome: played.outcome, solved: played.outcome === 'policy_fault' ? false : null, reason: played.reason }
  if (grade === null) return lostAttempt(stored, 'the attempt has no grade')
  if (grade.solved === null) return { member, outcome: 'infra_fault', solved: null, reason: grade.reason }
  return { member, outcome: 'scored', solved: grade.solved, reason: grade.outcome }
}

const lostAttempt = (stored: Attempt, reason: string): Attempt =>
  ['infra_fault', 'cancelled'].includes(stored.outcome) ? { ...stored, solved: null } : { member: stored.member, outcome: 'infra_fault', solved: null, reason }

/** What settled, against what the results say. */
export function compareOutcomes ({ settled: stored, broken }: EpisodeFacts, recomputed: SettledEpisode, group: number, notes: Notes): void {
  const work = settleId(stored.episodeId)
  notes.count('outcome')
  const about = { kind: 'outcome', by: 'evidence', work } as const
  notes.compare(about, stored.ending, recomputed.ending, ['kind', 'failed', 'outcome'])
  for (const [index, bug] of recomputed.bugs.entries()) {
    if (index === 0) notes.compare(about, bug, broken ?? {}, ['bugId'])
    if (recomputed.ending.kind === 'played') notes.compare({ ...about, work: `${work} bug ${bug.order}` }, { attempts: bug.attempts.length }, { attempts: group }, ['attempts'])
    for (const [at, attempt] of bug.attempts.entries()) notes.compare({ ...about, work: `${work} attempt ${bug.order}.${attempt.member}` }, stored.bugs[index]!.attempts[at]!, attempt, ['outcome', 'solved'])
  }
  if (isTaken(recomputed.ending)) notes.take(isGivenUp(recomputed) ? 'that an episode was given up' : 'that an episode was lost or cancelled')
}
