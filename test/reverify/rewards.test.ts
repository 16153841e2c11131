// Goal: rewards and advantages are what the formulas give for the outcomes, under any rule. Method: episodes of chance, settled
// again, against the formulas of the paper written down here once more.

import fc from 'fast-check'
import t from 'tap'
import type { Verdict } from '../../src/domain.ts'
import { changesOf } from '../../src/reverify/changes.ts'
import type { AttemptFacts, BareGrade, EpisodeFacts } from '../../src/reverify/facts.ts'
import { settleAgain } from '../../src/reverify/samples.ts'
import { episodeIdOf } from '../../src/run/draw.ts'
import { runDefaults, type RunOptions } from '../../src/run/options.ts'
import type { Sample } from '../../src/run/results.ts'
import type { RunStore } from '../../src/store/run.ts'

type Member = 'solved' | 'failed' | 'gave up' | 'lost' | 'ungraded'
interface Drawn { verdict: 'valid' | 'rejected' | 'none'; submits: boolean; members: Member[] }

const group = 4
const policy = { name: 'p', version: '1' }
const played = { outcome: 'scored', reason: '', submitted: true, policy, turns: 1, delivery: 1 } as const
const grade = (solved: boolean): BareGrade => ({ solved, outcome: solved ? 'solved' : 'failing', reason: '', missing: [], failing: [] })

const attempts: Record<Member, (member: number) => AttemptFacts> = {
  solved: member => ({ member, played, grade: grade(true) }),
  failed: member => ({ member, played, grade: grade(false) }),
  'gave up': member => ({ member, played: { ...played, outcome: 'policy_fault', submitted: false }, grade: null }),
  lost: member => ({ member, played: null, grade: null }),
  ungraded: member => ({ member, played, grade: null })
}

function factsOf ({ verdict, submits, members }: Drawn, number: number): EpisodeFacts {
  const episodeId = episodeIdOf(number)
  const isPlayed = submits && verdict === 'valid'
  const listed = isPlayed ? members : []
  return {
    number,
    episodeId,
    broken: { outcome: submits ? 'scored' : 'policy_fault', reason: '', bugId: submits ? 'bug-1' : null, policy, turns: 1, delivery: 1 },
    verdict: submits && verdict !== 'none' ? { valid: verdict === 'valid', decided: true, failed: verdict === 'valid' ? null : 'bug' } as Verdict & { reason: string } : null,
    // What settled is believed of nothing but who was there.
    settled: { episodeId, ending: { kind: 'played' }, bugs: submits ? [{ bugId: 'bug-1', order: 1, attempts: listed.map((_, member) => ({ member, outcome: 'scored', solved: null, reason: '' })) }] : [] },
    attempts: submits ? [listed.map((kind, member) => attempts[kind](member))] : []
  }
}

const rewardOf: Record<Member, number | null> = { solved: 1, failed: -1, 'gave up': -1, lost: null, ungraded: null }

function breakerRewardOf ({ verdict, submits, members }: Drawn, alpha: number, minScored: number): number | null {
  if (!submits) return -1
  if (verdict === 'none') return null
  if (verdict === 'rejected') return -1
  const scored = members.map(kind => rewardOf[kind]).filter(reward => reward !== null)
  if (scored.length < Math.min(minScored, group) || scored.length === 0) return null
  const s = scored.filter(reward => reward === 1).length / scored.length
  return s === 0 || s === 1 ? -alpha : 1 - (1 + alpha) * s
}

const near = (one: number | null, other: number | null): boolean => one === null || other === null ? one === other : Math.abs(one - other) < 1e-9
const advantageOf = (reward: number | null, rewards: readonly (number | null)[]): number | null => {
  const scored = rewards.filter(other => other !== null)
  return reward === null ? null : reward - scored.reduce((sum, other) => sum + other, 0) / scored.length
}

const drawn = fc.array(fc.record<Drawn>({
  verdict: fc.constantFrom('valid', 'valid', 'rejected', 'none'), submits: fc.boolean(), members: fc.array(fc.constantFrom<Member>('solved', 'failed', 'gave up', 'lost', 'ungraded'), { minLength: group, maxLength: group })
}), { minLength: 1, maxLength: 12 })

t.test('rewards and advantages of any outcomes, by any rule', async t => {
  await fc.assert(fc.asyncProperty(drawn, fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 8 }), async (episodes, alpha, minScored) => {
    const options: RunOptions = { ...runDefaults, target: 'x', episodes: episodes.length, group, alpha, minScored }
    const store = { file: () => ({ policies: { breaker: 'p', solver: 'p' } }), result: () => null } as unknown as RunStore
    const samples = await settleAgain(store, options, episodes.map((episode, index) => factsOf(episode, index + 1)), [])
    const breakers = samples.filter(({ role }) => role === 'breaker')
    if (breakers.length !== episodes.length) return false
    for (const [index, episode] of episodes.entries()) {
      const id = episodeIdOf(index + 1)
      const breaker = breakers.find(({ episode_id: other }) => other === id)!
      if (!near(breaker.reward, breakerRewardOf(episode, alpha, minScored))) return false
      const round = breakers.filter(({ group_id: other }) => other === breaker.group_id).map(({ reward }) => reward)
      if (!near(breaker.advantage, advantageOf(breaker.reward, round))) return false
      const rewards = episode.submits && episode.verdict === 'valid' ? episode.members.map(kind => rewardOf[kind]) : []
      for (const [member, reward] of rewards.entries()) {
        const solver = samples.find(({ rollout_id: other }) => other === `${id}.solve.1.${member}`)!
        if (!near(solver.reward, reward) || !near(solver.advantage, advantageOf(reward, rewards))) return false
      }
      if (samples.filter(({ episode_id: other, role }) => other === id && role === 'solver').length !== rewards.length) return false
    }
    return true
  }), { numRuns: 300 })
})

t.test('attempts on a bug that is rejected now are left out', async t => {
  const facts = factsOf({ verdict: 'valid', submits: true, members: ['solved', 'failed', 'failed', 'lost'] }, 1)
  const store = { file: () => ({ policies: { breaker: 'p', solver: 'p' } }), result: () => null } as unknown as RunStore
  const options: RunOptions = { ...runDefaults, target: 'x', group, minScored: 1 }
  const before = await settleAgain(store, options, [facts], [])
  const after = await settleAgain(store, options, [{ ...facts, verdict: { ...facts.verdict!, valid: false, failed: 'bug' } }], before)
  t.strictSame(after.map(({ role, outcome, reward, advantage }) => [role, outcome, reward, advantage]), [['breaker', 'scored', -1, 0], ...Array(4).fill(['solver', 'stale', null, null])])
  t.strictSame(changesOf('solver', before, after), { samples: 4, rewards: 3, advantages: 3, meanBefore: -1 / 3, meanAfter: null })
  t.match(changesOf('breaker', before, after as Sample[]), { samples: 1, rewards: 1, meanAfter: -1 })
})
