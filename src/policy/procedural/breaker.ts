// The procedural breaker: a program that makes bugs as ssr.md asks a model to. It chooses tests, searches for changes that
// a few of them notice, hides the bug by deleting those tests, and submits what it has checked itself. It gives up, with
// the reason, rather than submit something doubtful.

import type { Policy, Random } from '../../ports.ts'
import type { RolloutTask } from '../../domain.ts'
import { SparError } from '../../errors.ts'
import { shellQuote } from '../../quote.ts'
import { createRandom } from '../../random.ts'
import type { Workers } from '../../workers/pool.ts'
import { applyCommand, restoreCommand } from './breaker/probe.ts'
import { searchBug, type BugDraft } from './breaker/search.ts'
import { submit, writeBugDiff, writeWeakDiff } from './breaker/submit.ts'
import { chooseSuite, type Suite } from './breaker/suite.ts'
import { weaken } from './breaker/weaken.ts'
import { createProceduralSession, type Play } from './session.ts'
import { toolTree, type ToolTree } from './tree.ts'

/** Bugs that are tried when one cannot be hidden. */
const bugsMax = 4
/** Choices of tests, when one gives no bug and half of the budget is left. */
const suitesMax = 2

export function createProceduralBreaker ({ workers }: { workers: Workers }): Policy {
  return {
    name: 'procedural-breaker',
    version: '1',
    start (task) {
      if (task.role !== 'breaker') throw new SparError('POLICY_WRONG_ROLE', `Policy "procedural-breaker" cannot play the role ${task.role}`)
      return createProceduralSession(playBreaker(task, workers))
    }
  }
}

type BreakerTask = Extract<RolloutTask, { role: 'breaker' }>

async function * playBreaker (task: BreakerTask, workers: Workers): Play {
  const tree = toolTree(task)
  let reason = ''
  for (let round = 0; round < suitesMax; round++) {
    if (round > 0 && (tree.tokensLeft() < task.tokensMax / 2 || tree.turnsLeft() < task.turnsMax / 2)) break
    const outcome = yield * playSuite(tree, task, workers, createRandom(task.seed).fork(`round ${round}`))
    if (outcome === null) return
    reason = outcome
  }
  return reason
}

/** Chooses tests and makes a bug that they notice; null when it was submitted, else why not. */
async function * playSuite (tree: ToolTree, { params, strategy }: BreakerTask, workers: Workers, random: Random): Play<string | null> {
  const suite = yield * chooseSuite(tree, params, strategy, random.fork('suite'))
  if (typeof suite === 'string') return suite
  let reason = ''
  for (let attempt = 0; attempt < bugsMax; attempt++) {
    const bug = yield * searchBug({ tree, suite, workers, strategy, params, random: random.fork(`bug ${attempt}`) })
    if (typeof bug === 'string') return reason === '' ? bug : `${reason} ${bug}`
    const trouble = yield * hide(tree, suite, bug)
    if (trouble === null) {
      yield * submit(tree, suite, sayBug(bug))
      return null
    }
    reason = trouble
  }
  return reason
}

/** Puts the bug in, writes its diff, weakens the tests, writes that diff. Undoes everything when something is wrong. */
async function * hide (tree: ToolTree, suite: Suite, bug: BugDraft): Play<string | null> {
  yield * tree.run(`I put the bug into ${bug.trial.paths.join(', ')}.`, applyCommand(tree, bug.trial.patch, bug.trial.paths))
  const unwritten = yield * writeBugDiff(tree, bug.trial.paths)
  const weakening = unwritten ?? (yield * weaken(tree, suite, bug))
  const trouble = typeof weakening === 'string' ? weakening : yield * writeWeakDiff(tree, weakening.paths)
  if (trouble !== null) {
    const touched = [...bug.trial.paths, ...suite.testFiles].filter(path => path !== '')
    yield * tree.run(`${trouble} I take everything back and look for another bug.`, touched.map(path => `[ ! -e ${shellQuote(`${tree.task.scratch}/original/${path}`)} ] || { ${restoreCommand(tree, [path])}; }`).join('; '))
  }
  return trouble
}

const sayBug = ({ changes, effect }: BugDraft): string =>
  `I submit the bug: ${changes.map(({ path, what }) => `${what} (${path})`).join('; ')}. It breaks ${effect.failing.length} tests.`
