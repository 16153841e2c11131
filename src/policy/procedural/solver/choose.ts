// Which candidates an attempt tries, and in which order: the lists of the suspicious files run a race, in which a file
// moves as fast as it is suspicious. The lists carry chance already (the workers order them by the attempt's seed), so
// attempts share the most promising candidates and spread over the others.

import type { Random } from '../../../ports.ts'
import type { Mutant } from '../../../workers/mutate/types.ts'

export interface Candidate { path: string; mutant: Mutant }

export interface CandidateList { path: string; score: number; candidates: readonly Mutant[] }

/** How much faster the most suspicious file is: the power of the scores. */
const contrast = 2

export function drawCandidates (lists: readonly CandidateList[], random: Random): Candidate[] {
  const keyed = lists.flatMap(({ path, score, candidates }) => candidates.map((mutant, index) => (
    { candidate: { path, mutant }, key: (index + random.next()) / score ** contrast }
  )))
  return keyed.sort((a, b) => a.key - b.key).map(({ candidate }) => candidate)
}
