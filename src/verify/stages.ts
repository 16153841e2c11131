// The stages of a verification, each a function from runs to checks. Which stage comes when, and what follows from a
// failed one, the machine decides (machines/verifier.ts). Stages keep what they learned in `Known`, for the later ones.

import type { Check, CheckName, TestMap } from '../domain.ts'
import { languageOf } from '../workers/mutate/languages.ts'
import { forgery } from './blind.ts'
import { cleanSets, isBroken, namesTests, statusOf, unstable, withStatus, without, type CleanSets, type Original, type Status } from './compare.ts'
import { briefEvidence, runEvidence } from './evidence.ts'
import { restoreFiles, type Restored } from './inverse.ts'
import type { VerifyLimits } from './limits.ts'
import { check, unitName, type Plan } from './plan.ts'
import type { Runs } from './runs.ts'
import { checksOf } from './survey.ts'
import type { StageReport, TreeRun, VerifyRequest } from './types.ts'

export interface Stages {
  plan: Plan
  runs: Runs
  request: VerifyRequest
  limits: VerifyLimits
  repeats: number
  known: Known
}

/** Filled from stage to stage. */
export interface Known {
  logs: { tree: string; run: TreeRun }[]
  clean: CleanSets
  original: Original
  /** `script`, as far as the clean run goes. */
  script: Check | null
  buggy: TestMap
  f2p: string[]
  hidden: string[]
  restored: Restored[]
}

export const nothingKnown = (plan: Plan): Known =>
  ({ logs: [], clean: { passing: [], failing: [], flaky: [] }, original: { exitCode: 0, testFiles: plan.testFiles }, script: null, buggy: {}, f2p: [], hidden: [], restored: [] })

const report = (...checks: Check[]): StageReport => ({ checks, findings: {} })

export async function checkStatic ({ plan, runs, repeats }: Stages): Promise<StageReport> {
  const [files, scope] = plan.checks as [Check, Check]
  const findings = { files: plan.units.map(unitName) }
  if (plan.refused !== null) return { checks: [files, scope, plan.refused], findings }
  if (files.verdict === 'fail') return { checks: [files, scope], findings }
  const looked = runs.absent(plan.testFiles)
  if (scope.verdict !== 'fail') runs.prepareAll(repeats)
  const absent = await looked
  if (absent.length > 0) {
    const reason = `test_files.txt names ${absent.map(path => JSON.stringify(path)).join(', ')}, no file of the original tree`
    return { checks: [{ ...files, verdict: 'fail', reason, evidence: { ...files.evidence, absent } }, scope], findings }
  }
  if (scope.verdict === 'fail') return { checks: [files, scope], findings }
  const { fresh, old } = await runs.survey()
  const seen: Check = old.length + fresh.length === 0 ? scope : { ...scope, evidence: { ...scope.evidence, found: fresh, fromHistory: old } }
  if (fresh.length > 0) return { checks: withFindings([files, seen], checksOf(fresh)), findings }
  runs.begin()
  return { checks: [files, seen], findings }
}

/** All findings stay in the evidence of `scope`, whichever check they fail. */
const withFindings = (checks: readonly Check[], failed: readonly Check[]): Check[] => [
  ...checks.map(one => { const other = failed.find(({ name }) => name === one.name); return other === undefined ? one : { ...other, evidence: one.evidence } }),
  ...failed.filter(({ name }) => checks.every(one => one.name !== name))
]

export async function checkClean (stages: Stages): Promise<StageReport> {
  const { runs, request, limits, repeats, known } = stages
  const run = await runs.clean(0)
  const evidence = { runs: [runEvidence('clean', run, limits.evidenceTestsMax)], minPassing: request.params.minPassing }
  if (run.fault?.by === 'script') return report(check('script', 'fail', `on the original tree ${run.fault.reason}`, evidence))
  const parser = parserCheck(stages, 'clean', run)
  if (run.results === null || parser.verdict === 'fail') return report({ ...parser, verdict: 'fail' })
  const maps = [run.results]
  // A test that fails now and then is for the last check, so look twice before one is called failing.
  const someFailed = Object.values(run.results).includes('failed')
  if (someFailed) for (let repeat = 1; repeat < repeats; repeat++) maps.push((await runs.clean(repeat)).results ?? {})
  const { failing } = cleanSets(maps)
  known.clean = cleanSets([run.results])
  known.original = { ...known.original, exitCode: someFailed ? 0 : run.exitCode }
  const passing = known.clean.passing.length
  if (failing.length > 0) return report(parser, check('script', 'fail', `${failing.length} tests fail on the original tree: ${shown(failing)}`, { ...evidence, failing }))
  if (passing < request.params.minPassing) return report(parser, check('script', 'fail', `${passing} tests pass on the original tree, at least ${request.params.minPassing} are asked for (minPassing)`, evidence))
  known.script = check('script', 'pass', `${passing} tests pass on the original tree`, evidence)
  return report(parser, known.script)
}

export async function checkBuggy (stages: Stages): Promise<StageReport> {
  const { runs, request, limits, known, repeats } = stages
  const run = await runs.buggy(0)
  const evidence = { runs: [runEvidence('buggy', run, limits.evidenceTestsMax)], minFailing: request.params.minFailing }
  const refused = refuse(stages, 'bug', 'buggy', run, evidence)
  if (refused !== null) return refused
  const parser = parserCheck(stages, 'buggy', run)
  if (parser.verdict === 'fail') return report(parser)
  const statuses = statusOf(known.clean.passing, run, known.original)
  known.f2p = withStatus(statuses, 'failed')
  known.buggy = run.results!
  const { minFailing } = request.params
  if (known.f2p.length >= minFailing) return report(parser, check('bug', 'pass', `${known.f2p.length} tests fail with the bug`, { ...evidence, failing: known.f2p }))
  const flaky = repeats > 1 ? unstable(known.clean.passing, [statuses, statusOf(known.clean.passing, await runs.buggy(1), known.original)]) : []
  if (known.f2p.length + flaky.length >= minFailing && flaky.length > 0) {
    return report(parser, check('bug', 'skip', 'not the same tests fail each time: see determinism', evidence),
      check('determinism', 'fail', `${shown(flaky)} fail with the bug in some runs only`, { flaky }))
  }
  return report(parser, check('bug', 'fail', `${known.f2p.length} tests fail with the bug, at least ${minFailing} are asked for (minFailing)${renamed(statuses, run)}`, { ...evidence, failing: known.f2p }))
}

/** Tests that have no result any more beside ones that had none before: a parser that renames tests hides them. */
function renamed (statuses: ReadonlyMap<string, Status>, run: TreeRun): string {
  const gone = [...statuses].filter(([, status]) => status === 'gone').map(([id]) => id)
  const fresh = Object.keys(run.results!).filter(id => !statuses.has(id))
  return gone.length === 0 || fresh.length === 0 ? '' : `; ${shown(gone)} have no result, and ${shown(fresh)} had none on the original`
}

export async function checkWeakened (stages: Stages): Promise<StageReport> {
  const { runs, plan, limits, known } = stages
  if (plan.weaken.bytes.length === 0) return report(check('weaken', 'fail', 'test_weaken.diff is empty: it hides nothing'))
  const run = await runs.weakened()
  const evidence = { runs: [runEvidence('weakened', run, limits.evidenceTestsMax)] }
  const refused = refuse(stages, 'weaken', 'weakened', run, evidence)
  if (refused !== null) return refused
  const parser = parserCheck(stages, 'weakened', run)
  if (parser.verdict === 'fail') return report(parser)
  known.hidden = withStatus(statusOf(known.f2p, run, known.original), 'passed', 'gone')
  if (known.hidden.length === 0) return report(parser, check('weaken', 'fail', `the weakened tests still show all ${known.f2p.length} failures`, { ...evidence, hidden: [] }))
  const weaken = check('weaken', 'pass', `${known.hidden.length} of ${known.f2p.length} failures are hidden`, { ...evidence, hidden: known.hidden })
  const script = await checkBlind(stages)
  return report(parser, weaken, ...script === null ? [] : [script])
}

/** `script` once more, with what it prints where no test file can be read; null where it needs no look. */
async function checkBlind ({ runs, limits, known, plan }: Stages): Promise<Check | null> {
  const run = await runs.blind()
  if (run === null) return null
  const script = known.script!
  const evidence = { ...script.evidence, blind: runEvidence('blind', run, limits.evidenceTestsMax) }
  const forged = run.results === null ? null : forgery({ passing: known.clean.passing, f2p: known.f2p, buggy: known.buggy, blind: run.results, testFiles: plan.testFiles })
  return forged === null ? { ...script, evidence } : check('script', 'fail', `it prints results without running the tests: ${forged}`, evidence)
}

export async function checkInverse (stages: Stages): Promise<StageReport> {
  const { plan, runs, known, limits, request } = stages
  const flips = (run: TreeRun): string[] => withStatus(statusOf(known.f2p, run, known.original), 'passed')
  const result = await restoreFiles(plan.units, runs, { mode: request.mode, groupRunsMax: limits.groupRunsMax, f2p: known.f2p, flips })
  known.restored = result.restored
  const evidence = { asked: request.mode, runs: result.runs, restored: result.restored.map(({ units, flips }) => ({ files: units.map(unitName), flips })) }
  if (result.fault !== null) return report(check(result.fault.check, 'fail', result.fault.reason, evidence))
  if (result.idle.length > 0) return report(check('inverse', 'fail', `restoring ${result.idle.map(unit => JSON.stringify(unitName(unit))).join(', ')} repairs no test: it did not contribute`, evidence))
  const reason = plan.units.length === 1 ? 'the only file: restoring it gives the original' : `each of ${result.restored.length} ${result.mode === 'strict' ? 'files' : 'groups'} repairs a test`
  return { checks: [check('inverse', 'pass', reason, evidence)], findings: { mode: result.mode } }
}

export async function checkDeterminism (stages: Stages): Promise<StageReport> {
  const { runs, repeats, known, request } = stages
  const [clean, buggy]: [TreeRun[], TreeRun[]] = [[], []]
  for (let repeat = 0; repeat < repeats; repeat++) {
    clean.push(await runs.clean(repeat))
    buggy.push(await runs.buggy(repeat))
  }
  const repeated = [...clean.map((run, index) => ({ tree: `clean ${index + 1}`, run })), ...buggy.map((run, index) => ({ tree: `buggy ${index + 1}`, run }))]
  const evidence: Record<string, unknown> = { repeats, runs: repeated.map(({ tree, run }) => briefEvidence(tree, run)) }
  const odd = repeated.find(({ run }) => run.fault !== null && run.fault.by !== 'silence')
  if (odd !== undefined) return report(check(odd.run.fault!.by === 'parser' ? 'parser' : 'determinism', 'fail', `in run ${odd.tree}: ${odd.run.fault!.reason}`, evidence))
  const sets = cleanSets(clean.map(run => run.results ?? {}))
  const statuses = buggy.map(run => statusOf(sets.passing, run, known.original))
  const quarantined = [...new Set([...sets.flaky, ...unstable(sets.passing, statuses)])].sort()
  const left = new Set(quarantined)
  const passing = without(sets.passing, left)
  const [f2p, p2p] = (['failed', 'passed'] as const).map(status => passing.filter(id => statuses[0]!.get(id) === status).sort()) as [string[], string[]]
  const poor = tooFew(stages, passing, f2p, left, quarantined)
  const reason = poor === null ? null : poor + keyedOnText(stages, quarantined, statuses)
  const verdict = reason === null ? 'pass' : 'fail'
  const same = quarantined.length === 0 ? `${repeats} runs of each tree agree` : `${quarantined.length} flaky tests are left out: ${shown(quarantined)}`
  return { checks: [check('determinism', verdict, reason ?? same, { ...evidence, quarantined, minPassing: request.params.minPassing })], findings: { f2p, p2p, quarantined } }
}

/** Tests that fail where the files are as they were written, and not with a newline more (see `Runs.buggy`): flaky, or an answer to the text. */
function keyedOnText ({ plan }: Stages, quarantined: readonly string[], [first, ...others]: readonly Map<string, Status>[]): string {
  const keyed = quarantined.filter(id => first!.get(id) === 'failed' && others.length > 0 && others.every(statuses => statuses.get(id) === 'passed'))
  const varied = plan.units.map(({ newPath }) => newPath).filter(path => path !== null && languageOf(path) !== null)
  return keyed.length === 0 || varied.length === 0 ? '' : `; ${shown(keyed)} pass in every repeat, which has a newline more at the end of ${varied.slice(0, 5).join(', ')}`
}

/** What does not hold any more once the flaky tests are left out. */
function tooFew ({ request, known }: Stages, passing: string[], f2p: string[], left: ReadonlySet<string>, quarantined: string[]): string | null {
  const { minPassing, minFailing } = request.params
  const flaky = `without the flaky tests (${shown(quarantined)})`
  if (passing.length < minPassing) return `${flaky} ${passing.length} tests pass on the original tree, at least ${minPassing} are asked for (minPassing)`
  if (f2p.length < minFailing) return `${flaky} ${f2p.length} tests fail with the bug, at least ${minFailing} are asked for (minFailing)`
  if (without(known.hidden, left).length === 0) return `${flaky} no failure is hidden by the weakening`
  const idle = known.restored.find(({ flips }) => without(flips, left).length === 0)
  return idle === undefined ? null : `${flaky} restoring ${idle.units.map(unitName).join(', ')} repairs no test`
}

/** `parser`, with all logs that it has read so far. */
function parserCheck ({ known, limits }: Stages, tree: string, run: TreeRun): Check {
  known.logs = [...known.logs.filter(log => log.tree !== tree), { tree, run }]
  const { fault, opinion, results } = run
  const evidence: Record<string, unknown> = { logs: known.logs.map(log => briefEvidence(log.tree, log.run)) }
  if (opinion?.agrees === false) return check('parser', 'fail', `on the ${tree} log ${opinion.reason}`, { ...evidence, parser: kept(results!, limits), reader: { ...opinion, results: kept(opinion.results, limits) } })
  if (fault !== null) return check('parser', 'fail', `on the ${tree} log ${fault.reason}`, evidence)
  return check('parser', 'pass', `reads the ${known.logs.map(log => log.tree).join(', ')} log`, evidence)
}

const kept = (map: TestMap, { evidenceTestsMax }: VerifyLimits): TestMap | null => Object.keys(map).length <= evidenceTestsMax ? map : null

/** A run of a patched tree that has no results of the original's tests; null when it has some. */
function refuse (stages: Stages, name: CheckName, tree: string, run: TreeRun, evidence: Record<string, unknown>): StageReport | null {
  const { known } = stages
  const { fault } = run
  if (fault?.by === 'parser') return report(parserCheck(stages, tree, run))
  if (fault?.by === 'silence' && namesTests(known.clean.passing, fault.log)) return report(parserCheck(stages, tree, run))
  if (fault?.by === 'silence') return report(check(name, 'fail', `no test has a result on the ${tree} tree: the build is broken (${fault.reason})`, evidence))
  if (fault !== null) return report(check(name, 'fail', fault.by === 'patch' ? fault.reason : `on the ${tree} tree ${fault.reason}`, evidence))
  if (isBroken(known.clean.passing, run)) return report(check(name, 'fail', `none of the original's tests has a result on the ${tree} tree: the build is broken`, evidence))
  return null
}

const shown = (ids: readonly string[]): string => ids.slice(0, 5).join(', ') + (ids.length > 5 ? ` and ${ids.length - 5} more` : '')

