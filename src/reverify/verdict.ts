// A verdict from its own evidence: the stages of src/verify go over the runs that were kept (kept-runs.ts) instead of new
// ones, so that nothing is decided here in another way than there. From the first stage on of which a run was not kept, the
// verdict's own checks stand.

import type { Arena, Bug, BugParams, Check, CheckName, InverseMode, Verdict } from '../domain.ts'
import type { RunEvidence } from '../verify/evidence.ts'
import { verifyLimits } from '../verify/limits.ts'
import { planBug } from '../verify/plan.ts'
import { nothingKnown, type Stages } from '../verify/stages.ts'
import { stageNames, type Findings, type StageName } from '../verify/types.ts'
import { toVerdict } from '../verify/verdict.ts'
import { stageFunctions } from '../verify/verification.ts'
import { evidenceOf, isNotKept, keptRuns, type BriefRun, type KeptEvidence } from './kept-runs.ts'
import type { Notes } from './notes.ts'

export interface VerifiedBug { bug: Bug; arena: Arena; params: BugParams; mode: InverseMode }

/** `given`: checks whose verdicts are the stored ones. */
interface Replayed { verdict: Verdict; given: CheckName[] }

/** What a stage reports on; a later report replaces an earlier one. */
const reports: Record<StageName, CheckName[]> = {
  static: ['files', 'scope', 'parser', 'script', 'bug', 'determinism'], clean: ['parser', 'script'], buggy: ['parser', 'bug', 'determinism'], weakened: ['parser', 'script', 'weaken'], inverse: ['parser', 'inverse'], determinism: ['parser', 'determinism']
}

async function replayVerdict (stored: Verdict, { bug, arena, params, mode }: VerifiedBug): Promise<Replayed> {
  const planned = planBug(bug, arena, params)
  // A verdict from before there was that rule is not judged by it.
  const plan = evidenceOf(stored, 'scope').rules === undefined && stored.decided ? { ...planned, refused: null } : planned
  const repeats = evidenceOf(stored, 'determinism').repeats ?? verifyLimits.repeats
  const stages: Stages = { plan, runs: keptRuns(stored, plan.units), request: { bug, arena, params, mode, run: 'reverify' }, limits: verifyLimits, repeats, known: nothingKnown(plan) }
  let checks: Check[] = []
  let findings: Partial<Findings> = {}
  const merge = (newer: readonly Check[]): void => { checks = [...checks.filter(({ name }) => !newer.some(check => check.name === name)), ...newer] }
  for (const [at, stage] of stageNames.entries()) {
    try {
      const report = await stageFunctions[stage](stages)
      merge(report.checks)
      findings = { ...findings, ...report.findings }
      if (report.checks.some(({ verdict }) => verdict === 'fail')) break
    } catch (error) {
      if (!isNotKept(error)) throw error
      const given = [...new Set(stageNames.slice(at).flatMap(stage => reports[stage]))]
      merge(stored.checks.filter(({ name }) => given.includes(name)).map(check => isFounded(check) ? check : { ...check, verdict: 'skip', reason: 'its evidence holds nothing that it could follow from' }))
      const { mode, f2p, p2p, quarantined } = stored
      return { verdict: toVerdict(bug, { kind: 'decided', checks, findings: { ...findings, mode, f2p, p2p, quarantined } }), given }
    }
  }
  return { verdict: toVerdict(bug, { kind: 'decided', checks, findings }), given: [] }
}

/** No check passes without a run that had tests, be it too many to be kept. */
function isFounded ({ name, verdict, evidence }: Check): boolean {
  if (verdict !== 'pass') return true
  const { runs = [], logs = [], restored = [] }: KeptEvidence = evidence
  return name === 'inverse' ? restored.length > 0 : (name === 'parser' ? logs : runs).some(({ passed, failed }) => passed + failed > 0)
}

const verdictFields = ['bugId', 'decided', 'valid', 'failed', 'mode', 'files', 'f2p', 'p2p', 'quarantined'] as const
/** Lists of the evidence that follow from its maps. */
const followed = { script: ['failing'], bug: ['failing'], weaken: ['hidden'], inverse: ['restored'] } as const

/** The evidence's own verdict, with everything noted that is stored otherwise. */
export async function followVerdict (work: string, stored: Verdict, about: VerifiedBug, notes: Notes): Promise<Verdict> {
  const { verdict, given } = await replayVerdict(stored, about)
  compareVerdicts(work, 'evidence', stored, verdict, notes)
  for (const [name, fields] of Object.entries(followed) as [keyof typeof followed, readonly string[]][]) {
    notes.compare({ kind: 'verdict', by: 'evidence', work: `${work} ${name}` }, evidenceOf(stored, name), evidenceOf(verdict, name), fields)
  }
  followLogs(work, stored, notes)
  if (given.length > 0) notes.take(`checks ${given.join(', ')} of a verdict: the tests of a run are not kept`)
  else takeWhatIsNeverKept(verdict, notes)
  return verdict
}

export function compareVerdicts (work: string, by: 'evidence' | 'rerun', stored: Verdict, recomputed: Verdict, notes: Notes): void {
  const checks = ({ checks }: Verdict): Record<string, string> => Object.fromEntries(checks.map(({ name, verdict }) => [`check ${name}`, verdict]))
  const about = { kind: 'verdict', by, work } as const
  notes.compare(about, stored, recomputed, verdictFields)
  notes.compare(about, checks(stored), checks(recomputed), Object.keys({ ...checks(stored), ...checks(recomputed) }))
}

function takeWhatIsNeverKept ({ checks, files }: Verdict, notes: Notes): void {
  const isReached = (name: CheckName): boolean => ['pass', 'fail'].includes(checks.find(check => check.name === name)!.verdict)
  if (isReached('scope')) notes.take('that nothing more is found in the files of a bug')
  if (isReached('parser')) notes.take('what the parser read in the logs of a verdict')
  if (isReached('inverse') && files.length > 1) notes.take('which tests a restored file repairs')
  if (isReached('determinism')) notes.take('that a repeated run has the same tests, but for those named as flaky')
}

/** One run is named in the evidence of several checks: as often with the same log and the same counts, which are those of its map. */
function followLogs (work: string, stored: Verdict, notes: Notes): void {
  const named = new Map<string, BriefRun>()
  const { logs = [] } = evidenceOf(stored, 'parser')
  const first = (['script', 'bug', 'weaken'] as const).flatMap(name => evidenceOf(stored, name).runs?.slice(0, 1) ?? [])
  const repeated = (evidenceOf(stored, 'determinism').runs ?? []).filter(({ tree }) => tree.endsWith(' 1')).map(run => ({ ...run, tree: run.tree.slice(0, -2) }))
  for (const run of first) {
    if (run.results !== null) notes.compare({ kind: 'verdict', by: 'evidence', work: `${work} run ${run.tree}` }, run, countsOf(run.results), ['passed', 'failed'])
    named.set(run.tree, run)
  }
  for (const run of [...logs, ...repeated]) {
    const known = named.get(run.tree)
    if (known !== undefined) notes.compare({ kind: 'verdict', by: 'evidence', work: `${work} run ${run.tree}` }, run, known, ['exitCode', 'logSha256', 'passed', 'failed'])
  }
}

export function countsOf (results: NonNullable<RunEvidence['results']>): { passed: number; failed: number } {
  const passed = Object.values(results).filter(status => status === 'passed').length
  return { passed, failed: Object.keys(results).length - passed }
}
