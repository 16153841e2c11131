// The simulated solver: looks at the tree, works out what the tests want, and repairs it, or not, as it was drawn.

import type { RolloutTask } from '../domain.ts'
import type { Random } from '../ports.ts'
import { createRandom, deriveSeed } from '../random.ts'
import { modules, sourcePath, spareName, testPath } from './arena.ts'
import { claimsOf, look, valueOf, withValue, type Texts } from './draft.ts'
import { babbles, drawPlan, givesUp, insists, type Play } from './play.ts'
import type { Claim } from './suite.ts'

type SolverTask = Extract<RolloutTask, { role: 'solver' }>

/** What a solver that does not repair does, and how often. */
const failurePlans = {
  /** Repairs all but one value; of a single one it makes another that is wrong. */
  partial: { weight: 30 },
  /** Changes what no test asks for. */
  wrong: { weight: 20 },
  syntax: { weight: 8 },
  empty: { weight: 10 },
  /** Makes the tests say what the code does. */
  forbidden: { weight: 8 },
  givesUp: { weight: 8 },
  babbles: { weight: 4 },
  neverSubmits: { weight: 1 }
} as const
export type SolvePlan = 'repair' | keyof typeof failurePlans

/** How hard a bug is follows from the oracle, so that all members of a group are drawn alike. */
export function solvePlanOf ({ seed, oraclePatch }: Pick<SolverTask, 'seed' | 'oraclePatch'>, skill: number): SolvePlan {
  const ease = skill + createRandom(deriveSeed(0, oraclePatch)).next() - 0.5
  const random = createRandom(seed).fork('plan')
  return random.next() < ease ? 'repair' : drawPlan(failurePlans, random)
}

/** Whether something is submitted in the end. */
export const solveSubmits = (task: Pick<SolverTask, 'seed' | 'oraclePatch'>, skill: number): boolean => !['givesUp', 'babbles', 'neverSubmits'].includes(solvePlanOf(task, skill))

export function * playSolver (task: RolloutTask, skill: number): Play {
  if (task.role !== 'solver') throw new TypeError(`Cannot start a solver: the role is ${task.role}`)
  const plan = solvePlanOf(task, skill)
  if (plan === 'givesUp') return givesUp('I do not find it.')
  while (plan === 'babbles') yield babbles
  const texts = yield * look()
  if (texts === null) return givesUp('I cannot see the tree.')
  while (plan === 'neverSubmits') yield * look()
  const random = createRandom(task.seed).fork('attempt')
  for (const [path, text] of attemptOf(plan, texts, task.oraclePatch, random)) yield * writes(path, texts.get(path)!, text, random)
  yield * insists('I submit.', { tool: 'submit', paths: null })
  return givesUp('What I submitted is not taken.')
}

/** One line that differs is edited, more are written anew. */
function * writes (path: string, before: string, after: string, random: Random): Play<void> {
  const [old, young] = [before.split('\n'), after.split('\n')]
  const differing = old.length === young.length ? old.flatMap((line, index) => line === young[index] ? [] : [index]) : []
  const [at] = differing
  if (differing.length === 1 && random.next() < 0.8) yield * insists(`I change ${path}.`, { tool: 'edit', path, search: old[at!]!, replace: young[at!]! })
  else yield * insists(`I write ${path}.`, { tool: 'create', path, content: after })
}

/** Files that change, with what they become. */
function attemptOf (plan: SolvePlan, texts: Texts, oraclePatch: string, random: Random): Map<string, string> {
  const changed = new Map<string, string>()
  const textOf = (path: string): string => changed.get(path) ?? texts.get(path)!
  const spoil = (module: string, change: (text: string) => string): void => { changed.set(sourcePath(module), change(textOf(sourcePath(module)))) }
  if (plan === 'repair' || plan === 'partial') {
    for (const module of modules) if (textOf(sourcePath(module)).startsWith('!')) spoil(module, text => text.replace(/^!.*\n/, ''))
    const wanted = wantedOf(texts, oraclePatch)
    wanted.forEach(({ module, name, value }, index) => {
      const isWrong = plan === 'partial' && index === wanted.length - 1
      if (!isWrong) spoil(module, text => withValue(text, name, value))
      else if (wanted.length === 1) spoil(module, text => withValue(text, name, value + 1 + random.int(9)))
    })
  }
  if (plan === 'wrong') spoil(random.pick(modules), text => withValue(text, spareName, 1000 + random.int(1000)))
  if (plan === 'syntax') spoil(random.pick(modules), text => `!syntax\n${text}`)
  if (plan === 'forbidden') {
    const path = testPath(random.pick(modules))
    changed.set(path, textOf(path).replace(/ == \d+/, ' == 0'))
  }
  return changed
}

/** Claims of the tests, those of the oracle too, that the sources do not keep. */
function wantedOf (texts: Texts, oraclePatch: string): Claim[] {
  const restored = oraclePatch.split('\n').filter(line => line.startsWith('+    assert ')).map(line => line.slice(1))
  const claims = [...modules.flatMap(module => claimsOf(texts.get(testPath(module)) ?? '')), ...claimsOf(`def test_oracle():\n${restored.join('\n')}\n`)].flatMap(({ claims }) => claims)
  const broken = claims.filter(({ module, name, value }) => valueOf(texts.get(sourcePath(module))!, name) !== value)
  return [...new Map(broken.map(claim => [`${claim.module}.${claim.name}`, claim])).values()]
}
