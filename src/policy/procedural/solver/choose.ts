// Which candidates an attempt tries, and in which order: the most likely to be the fix first. The likelihood of a candidate
// falls with its rank among those of its operator, and differs by operator: how often each gave the exact repair of
// sampled removals and mutations in packages of two languages, smoothed. The workers order by the attempt's seed, so
// attempts share the most promising candidates and spread over the others.

import type { Random } from '../../../ports.ts'
import type { Mutant } from '../../../workers/mutate/types.ts'

export interface Candidate { path: string; mutant: Mutant }

export interface CandidateList { path: string; score: number; candidates: readonly Mutant[] }

const likelihoods: Record<string, number> = {
  negate: 3, 'change operator': 3, 'change constant': 3, 'add operand': 3, 'plant statement': 3, 'add argument': 2.5, 'plant if': 2.5,
  'add default': 2, 'wrap in condition': 2, 'plant return': 2, 'plant else': 2, 'plant throw': 1, 'plant continue': 1, 'plant break': 1,
  'flip boolean': 1, 'shuffle lines': 1, 'invert if': 1, 'swap arguments': 1, 'swap operands': 1, 'swap augmented assignment': 1,
  'add summand': 1, 'add optional chaining': 0.5, 'negate condition': 0.5, 'borrow body': 1, 'plain body': 0.5, delegate: 0.5
}
/** Operators without a figure; those that remove something undo what hardly any bug adds. */
const likelihoodOf = (operator: string): number => likelihoods[operator] ?? (operator.startsWith('remove') ? 0.15 : 0.4)

/** The likelihood of rank r falls as 1 / (r + head) ^ fall. */
const head = 2
const fall = 1.3
/** Seeded noise on the logarithm of the likelihood. */
const temperature = 0.3

export function drawCandidates (lists: readonly CandidateList[], random: Random): Candidate[] {
  const keyed = lists.flatMap(({ path, score, candidates }) => {
    const ranks = new Map<string, number>()
    return candidates.map(mutant => {
      const rank = ranks.get(mutant.operator) ?? 0
      ranks.set(mutant.operator, rank + 1)
      const likelihood = Math.log(score * likelihoodOf(mutant.operator)) - fall * Math.log(rank + head)
      return { candidate: { path, mutant }, key: likelihood + temperature * gumbel(random) }
    })
  })
  return keyed.sort((a, b) => b.key - a.key).map(({ candidate }) => candidate)
}

const gumbel = (random: Random): number => -Math.log(-Math.log(Math.max(random.next(), 1e-9)))
