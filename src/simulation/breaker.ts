// The simulated breaker: looks at the tree, draws what it will do, writes its five files and submits them.

import { runners } from '../arena/runners/index.ts'
import type { CheckName, RolloutTask } from '../domain.ts'
import type { Random } from '../ports.ts'
import { createRandom } from '../random.ts'
import { modules, pairName, pairs, ruleNames, sourcePath, spareName, testPath } from './arena.ts'
import { silentParser } from './commands.ts'
import { claimsOf, diffOf, look, valueOf, withoutTests, withValue, type Texts } from './draft.ts'
import { babbles, drawPlan, givesUp, insists, says, type Play } from './play.ts'

type BreakerTask = Extract<RolloutTask, { role: 'breaker' }>

/** What a breaker may do, how often, and the check that refuses it: null where nothing does, `none` where nothing is submitted. */
export const breakPlans = {
  good: { weight: 60, refusedBy: null },
  /** Leaves a test file out that its bug does not concern. */
  goodWithFewerTests: { weight: 8, refusedBy: null },
  /** Submits too early first, which is refused, not scored. */
  goodAfterRefusal: { weight: 4, refusedBy: null },
  harmless: { weight: 3, refusedBy: 'bug' },
  broken: { weight: 3, refusedBy: 'bug' },
  inapplicable: { weight: 3, refusedBy: 'bug' },
  unhidden: { weight: 3, refusedBy: 'weaken' },
  emptyWeakening: { weight: 2, refusedBy: 'weaken' },
  unlistedWeakening: { weight: 2, refusedBy: 'files' },
  missingFile: { weight: 2, refusedBy: 'files' },
  weakensCode: { weight: 2, refusedBy: 'scope' },
  noPatch: { weight: 2, refusedBy: 'scope' },
  tooFewFiles: { weight: 2, refusedBy: 'scope' },
  silentParser: { weight: 2, refusedBy: 'parser' },
  fewTests: { weight: 2, refusedBy: 'script' },
  idleFile: { weight: 3, refusedBy: 'inverse' },
  pairedFiles: { weight: 3, refusedBy: 'inverse' },
  givesUp: { weight: 3, refusedBy: 'none' },
  babbles: { weight: 2, refusedBy: 'none' },
  neverSubmits: { weight: 1, refusedBy: 'none' }
} as const satisfies Record<string, { weight: number; refusedBy: CheckName | 'none' | null }>
export type BreakPlan = keyof typeof breakPlans

/** Whether something is submitted in the end. */
export const breakSubmits = (task: Pick<BreakerTask, 'seed'>): boolean => breakPlans[breakPlanOf(task)].refusedBy !== 'none'

export const breakPlanOf = ({ seed }: Pick<BreakerTask, 'seed'>): BreakPlan => drawPlan(breakPlans, createRandom(seed).fork('plan'))

export function * playBreaker (task: BreakerTask): Play {
  const plan = breakPlanOf(task)
  const random = createRandom(task.seed).fork('bug')
  if (plan === 'givesUp') return givesUp('I find no bug that could be hidden.')
  while (plan === 'babbles') yield babbles
  const texts = yield * look()
  if (texts === null) return givesUp('I cannot see the tree.')
  while (plan === 'neverSubmits') yield * look()
  const files = artifactOf(draftBug(plan, task, texts, random))
  if (plan === 'goodAfterRefusal') yield says('I submit.', { tool: 'submit', paths: { testScript: `${task.scratch}/none.sh` } })
  const paths: Record<string, string> = {}
  for (const [part, { name, content }] of Object.entries(files)) {
    paths[part] = `${task.scratch}/out/${name}`
    yield * insists(`I write ${name}.`, { tool: 'create', path: paths[part], content })
  }
  yield * insists('I submit the bug.', { tool: 'submit', paths })
  return givesUp('What I submitted is not taken.')
}

interface Draft { scriptFiles: readonly string[]; testFiles: readonly string[]; parser: string; inject: string; weaken: string }

function artifactOf ({ scriptFiles, testFiles, parser, inject, weaken }: Draft): Record<string, { name: string; content: string }> {
  return {
    testScript: { name: 'test_script.sh', content: runners.pytest.script(scriptFiles) },
    testFiles: { name: 'test_files.txt', content: `${testFiles.join('\n')}\n` },
    testParser: { name: runners.pytest.parser.name, content: parser },
    bugInject: { name: 'bug_inject.diff', content: inject },
    testWeaken: { name: 'test_weaken.diff', content: weaken }
  }
}

/** Values that a bug changes, by module. */
type Targets = Map<string, string[]>

function draftBug (plan: BreakPlan, { params }: BreakerTask, texts: Texts, random: Random): Draft {
  const targets = chooseTargets(plan, params, random)
  const bugged = new Map(texts)
  for (const [module, names] of targets) for (const name of names) bugged.set(sourcePath(module), withValue(bugged.get(sourcePath(module))!, name, 100 + random.int(900)))
  if (plan === 'broken') for (const module of modules) bugged.set(sourcePath(module), `!syntax\n${bugged.get(sourcePath(module))!}`)
  const broken = failingTests(texts, bugged)
  const weakened = weakenTests(plan, texts, broken, random)
  const tests = chooseTests(plan, [...targets.keys()], random)
  const listed = plan === 'unlistedWeakening' ? tests.filter(path => weakened.get(path) === texts.get(path)) : tests
  const spare = sourcePath(spareModule(targets))
  const inject = diffOf(texts, bugged)
  return {
    scriptFiles: plan === 'fewTests' ? tests.slice(0, 1) : tests,
    testFiles: [...listed, ...plan === 'missingFile' ? ['tests/test_none.py'] : plan === 'weakensCode' ? [spare] : []],
    parser: plan === 'silentParser' ? silentParser : runners.pytest.parser.source,
    inject: plan === 'inapplicable' ? inject.replace(/^-(\w+) = .*$/m, '-$1 = 1000000') : plan === 'noPatch' ? inject.replace(/^@@ .*$/m, '@@ here @@') : inject,
    weaken: plan === 'emptyWeakening' ? '' : diffOf(texts, plan === 'weakensCode' ? new Map(weakened).set(spare, withValue(texts.get(spare)!, spareName, 5)) : weakened)
  }
}

const spareModule = (targets: Targets): string => modules.find(module => !targets.has(module)) ?? modules[0]!

function chooseTargets (plan: BreakPlan, { minFiles, minFailing }: BreakerTask['params'], random: Random): Targets {
  const rulesOf = (): string[] => {
    const least = Math.min(ruleNames.length, Math.ceil(minFailing / minFiles))
    return random.shuffle(ruleNames).slice(0, Math.min(ruleNames.length, least + random.int(2)))
  }
  const chosen = random.shuffle(modules)
  const least = plan === 'idleFile' ? Math.max(2, minFiles) : minFiles
  const count = plan === 'tooFewFiles' ? minFiles - 1 : Math.min(modules.length, least)
  if (plan === 'pairedFiles') {
    const pair = random.pick(pairs)
    const others = chosen.filter(module => !pair.includes(module)).slice(0, Math.max(0, minFiles - 2))
    return new Map([...pair.map((module): [string, string[]] => [module, [pairName]]), ...others.map((module): [string, string[]] => [module, rulesOf()])])
  }
  const targets = new Map(chosen.slice(0, count).map(module => [module, plan === 'harmless' ? [spareName] : rulesOf()]))
  if (plan === 'idleFile') targets.set(chosen[0]!, [spareName])
  return targets
}

/** Test files and the tests of them that fail, where they did not. */
function failingTests (before: Texts, after: Texts): Map<string, string[]> {
  const holds = (texts: Texts, { module, name, value }: { module: string; name: string; value: number }): boolean => valueOf(texts.get(sourcePath(module))!, name) === value
  const found = new Map<string, string[]>()
  for (const module of modules) {
    const failing = claimsOf(before.get(testPath(module))!).filter(({ claims }) => claims.every(claim => holds(before, claim)) && !claims.every(claim => holds(after, claim)))
    if (failing.length > 0) found.set(testPath(module), failing.map(({ name }) => name))
  }
  return found
}

/** Hides some of the failing tests; each file keeps a test that tells that it was run. */
function weakenTests (plan: BreakPlan, texts: Texts, failing: ReadonlyMap<string, readonly string[]>, random: Random): Texts {
  const weakened = new Map(texts)
  const isBlind = plan === 'unhidden' || failing.size === 0
  const files = isBlind ? [random.pick(modules.map(testPath))] : [...failing.keys()]
  files.forEach((path, index) => {
    const all = claimsOf(texts.get(path)!).map(({ name }) => name)
    const candidates = isBlind ? all.filter(name => !failing.get(path)?.includes(name)) : failing.get(path)!
    const hides = index === 0 || random.next() < 0.5
    const gone = hides ? random.shuffle(candidates).slice(0, Math.min(1 + random.int(3), all.length - 1)) : []
    weakened.set(path, withoutTests(texts.get(path)!, new Set(gone)))
  })
  return weakened
}

/** Test files; those of modules that the bug leaves alone may be left out. */
function chooseTests (plan: BreakPlan, touched: readonly string[], random: Random): string[] {
  const all = modules.map(testPath)
  const idle = modules.filter(module => ![module, ...pairs.find(pair => pair.includes(module))!].some(other => touched.includes(other)))
  if (plan !== 'goodWithFewerTests' || idle.length === 0) return all
  const left = testPath(random.pick(idle))
  return all.filter(path => path !== left)
}
