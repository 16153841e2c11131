// What a rollout may use up, role by role: as it is given, as runs of before keep it, and what a run cannot go on with.

import t from 'tap'
import { budgetDefaults, budgetOf, differingBudget, readBudgets, resolveBudgets } from '../../src/run/budgets.ts'

t.test('one figure is for both roles, and each role may have its own', async t => {
  t.same(readBudgets({}), {})
  t.same(readBudgets({ 'max-turns': '12' }), { turnsMax: { breaker: 12, solver: 12 } })
  t.same(readBudgets({ 'max-turns': 'breaker=128, solver=64', 'max-context': 'solver=65536', 'max-seconds': 'breaker=60' }),
    { turnsMax: { breaker: 128, solver: 64 }, tokensMax: { solver: 65_536 }, commandsMsMax: { breaker: 60_000 } })
  const budgets = resolveBudgets({}, readBudgets({ 'max-turns': 'solver=64', 'max-seconds': '5' }))
  t.same(budgetOf(budgets, 'breaker'), { turnsMax: 128, tokensMax: 131_072, commandsMsMax: 5000 })
  t.same(budgetOf(budgets, 'solver'), { turnsMax: 64, tokensMax: 131_072, commandsMsMax: 5000 })
})

t.test('what is no figure is refused, with the rule', async t => {
  for (const value of ['', '0', '1.5', '-1', 'many', 'breaker', 'breaker=', 'breaker=0', 'grader=5', 'solver=5,solver=6', 'solver=5,', '100001', 'solver=100001', '64,solver=5']) {
    t.throws(() => readBudgets({ 'max-turns': value }), { code: 'OPTION_INVALID', message: /--max-turns ".*": it takes a whole number from 1 to 100000, or one for each role: breaker=128,solver=64/ }, value)
  }
  t.throws(() => readBudgets({ 'max-context': '999' }), { code: 'OPTION_INVALID', message: /from 1000 to/ })
})

t.test('a run of before has one number for both roles, and no time', async t => {
  t.same(resolveBudgets({ turnsMax: 12, tokensMax: 4096 }), { ...budgetDefaults, turnsMax: { breaker: 12, solver: 12 }, tokensMax: { breaker: 4096, solver: 4096 } })
})

t.test('a run goes on with its own figures: what is given is held against them role by role', async t => {
  const kept = resolveBudgets({ turnsMax: { breaker: 128, solver: 64 } })
  for (const same of [{}, { 'max-turns': 'solver=64' }, { 'max-turns': 'breaker=128,solver=64', 'max-context': '131072' }]) t.equal(differingBudget(kept, readBudgets(same)), null)
  t.same(differingBudget(kept, readBudgets({ 'max-turns': '128' })), { name: 'turnsMax of the solver', before: 64, now: 128 })
  t.same(differingBudget(kept, readBudgets({ 'max-seconds': 'breaker=1' })), { name: 'commandsMsMax of the breaker', before: 1_800_000, now: 1000 })
})
