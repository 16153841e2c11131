// Grades an attempt: would this patch repair the bug? A fresh original tree, the bug's patches, the attempt, the original
// test files back in their place, the script, the parser. Only the patch crosses from the solver's sandbox to here.
//
// Solved if and only if every expected test is present and passed (the truth table is SWE-bench's). What the attempt
// brings about, a crash of the runner included, is its failure; what we bring about has no result: `solved: null`.
// A deadline or memory limit that struck may be either: the clean run, which needs the same machine but not the attempt,
// decides it. An attempt that repairs the bug and fails tests which the bug does not touch runs once more: such a test may fail now
// and then. An attempt after which every file is the original's is graded by the clean run; any other that looks solved
// has to fail where the tests are sabotaged (control.ts).

import { pathKind, readPatch, readTestFiles, touchedPaths, type PatchFile } from '../artifact/index.ts'
import type { Arena, Bug, Grade, GradeOutcome } from '../domain.ts'
import { SparError, toPlain } from '../errors.ts'
import type { Sandbox } from '../ports.ts'
import { cleanRunKey } from './clean-runs.ts'
import { unmet } from './compare.ts'
import { fingerprint, forgedTests, runControls, uncontrolled, type ControlEvidence } from './control.ts'
import { runEvidence } from './evidence.ts'
import { verifyLimits, type VerifyLimits } from './limits.ts'
import { keepTestFiles, restoreTestFiles } from './restore.ts'
import { createBench, runTree, type Bench, type RunOptions } from './run.ts'
import { signsOf } from './signs.ts'
import type { NamedPatch, TreeRun, VerifyPorts } from './types.ts'

export interface GradeRequest {
  bug: Bug
  arena: Arena
  /** From the bug's verdict. */
  expected: { f2p: readonly string[]; p2p: readonly string[] }
  patch: Uint8Array
  /** For the labels of sandboxes. */
  run: string
  limits?: Partial<VerifyLimits>
}
export type GradePorts = Pick<VerifyPorts, 'sandboxes' | 'cores' | 'cleanRuns' | 'controls' | 'readLog'>

/** Never rejects: a fault of ours, an abort included, is `solved: null` with outcome `infra_fault`. */
export async function gradeAttempt (request: GradeRequest, ports: GradePorts, signal?: AbortSignal): Promise<Grade> {
  const { bug, arena, run, patch } = request
  const suite = { script: bug.files.testScript, parser: bug.files.testParser, parserName: bug.files.parserName }
  const bench = createBench({ arena, run, suite, limits: { ...verifyLimits, ...request.limits } }, ports)
  try {
    const testFiles = readTestFiles(bug.files.testFiles)
    const refused = refusePatch(patch, testFiles, arena)
    const findings = signsOf(patch, bug)
    if (refused !== null) return { ...refused, findings: [...findings, ...refusedFinding(refused)] }
    const control = async (): Promise<TreeRun> => await ports.cleanRuns.get(
      cleanRunKey(arena, suite, testFiles, 0), async signal => await runTree(bench, { patches: [], purpose: 'control', probes: true, signal }), signal)
    const attempt = attemptOf(request, testFiles, bench.limits, signal)
    const { graded, restored } = await runAttempt(bench, attempt, touched(request), control, signal)
    const again = async (): Promise<Grade> => await judgeRun(request, await runTree(bench, { ...attempt, purpose: 'grade', ...(signal ? { signal } : {}) }), control, bench.limits)
    const first = await judgeRun(request, graded, control, bench.limits)
    if (restored) {
      // It is the original: what the kept run has against it may have been chance.
      const judged = first.solved === true ? first : await again()
      if (judged.solved !== true) return grade(null, 'infra_fault', `the original itself does not pass its tests here: ${judged.reason}`, { ...judged.evidence, restored })
      return { ...judged, evidence: { ...judged.evidence, restored }, findings }
    }
    const judged = mayBeChance(first, request.expected) ? withSecond(first, await again()) : first
    findings.push(...judged.findings ?? [])
    if (judged.solved !== true) return { ...judged, findings }
    const controls = await runControls({ arena, suite, testFiles, expected: request.expected, bench, signal }, ports.controls, attempt)
    const open = uncontrolled(controls, request.expected)
    return judgeControls({ ...judged, findings: open.length === 0 ? findings : [...findings, `uncontrolled: no control run speaks of ${open.slice(0, namedMax).join(', ')}`] }, controls)
  } catch (error) {
    const { code, message, retryable } = toPlain(error)
    return grade(null, 'infra_fault', `${code}: ${message}`, { code, retryable })
  } finally {
    await Promise.all(bench.removals)
  }
}

type AttemptTree = Pick<RunOptions, 'patches'> & Required<Pick<RunOptions, 'begin' | 'finish'>>

const attemptOf = ({ bug, patch }: GradeRequest, testFiles: readonly string[], limits: VerifyLimits, signal?: AbortSignal): AttemptTree => ({
  patches: [...bugPatches(bug), { name: attemptName, bytes: patch }],
  begin: async sandbox => await keepTestFiles(sandbox, testFiles, limits, signal),
  finish: async sandbox => await restoreTestFiles(sandbox, limits, signal)
})

/** Files that may differ from the original's. */
const touched = ({ bug, patch }: GradeRequest): string[] => [...new Set([...bugPatches(bug).map(({ bytes }) => bytes), patch].flatMap(bytes => readPatch(bytes)).flatMap(touchedPaths))]

/** Where the attempt makes the tree the original's again, the clean run is its run. */
async function runAttempt (bench: Bench, attempt: AttemptTree, paths: readonly string[], clean: () => Promise<TreeRun>, signal?: AbortSignal): Promise<{ graded: TreeRun; restored: boolean }> {
  let [before, restored] = ['', false]
  const look = async (sandbox: Sandbox): Promise<string> => await fingerprint(sandbox, paths, bench.limits, signal)
  const graded = await runTree(bench, {
    patches: attempt.patches,
    purpose: 'grade',
    async begin (sandbox) {
      await attempt.begin(sandbox)
      before = await look(sandbox)
    },
    async finish (sandbox) {
      await attempt.finish(sandbox)
      restored = await look(sandbox) === before
      return restored ? await clean() : null
    },
    ...(signal ? { signal } : {})
  })
  return { graded, restored }
}

/** All that failed with the bug passes, and something fails that passed with and without it: a test that fails now and then, or what the attempt broke. */
const mayBeChance = ({ outcome, missing, failing }: Grade, { p2p }: GradeRequest['expected']): boolean => {
  const kept = new Set(p2p)
  return outcome === 'failing' && [...missing, ...failing].every(id => kept.has(id))
}

/** The second run decides where it passes: what an attempt broke fails in both. */
function withSecond (first: Grade, second: Grade): Grade {
  const { missing, failing } = first
  if (second.solved !== true) return { ...first, evidence: { ...first.evidence, again: { outcome: second.outcome, missing: second.missing, failing: second.failing } } }
  const chance = [...missing, ...failing]
  return { ...second, evidence: { ...second.evidence, before: { missing, failing } }, findings: [`flaky: ${chance.length} tests that the bug does not touch fail in one run of the attempt and pass in the next: ${chance.slice(0, namedMax).join(', ')}`] }
}

/** `judged` passed its tests. Exported for a grade that is followed from its evidence. */
export function judgeControls (judged: Grade, controls: readonly ControlEvidence[]): Grade {
  const evidence = { ...judged.evidence, controls }
  const forged = forgedTests(controls)
  if (forged.length === 0) return { ...judged, evidence }
  const reason = `${forged.length} tests pass that had to fail: what they ask for was changed, and the attempt passes whatever it is`
  return { ...judged, solved: false, outcome: 'forged', reason, failing: forged, evidence, findings: [...judged.findings ?? [], `forged: ${reason}: ${forged.slice(0, namedMax).join(', ')}`] }
}

/** Tests that a finding names. */
const namedMax = 5

const attemptName = 'the attempt'

/** What lies between the original and the tree that the solver saw. */
export const bugPatches = ({ files }: Bug): NamedPatch[] => [
  { name: 'bug_inject.diff', bytes: files.bugInject },
  { name: 'test_weaken.diff', bytes: files.testWeaken },
  ...(files.predPatch === null ? [] : [{ name: 'pred_patch.diff', bytes: files.predPatch }])
]

const grade = (solved: boolean | null, outcome: GradeOutcome, reason: string, evidence: Record<string, unknown> = {}, missing: string[] = [], failing: string[] = []): Grade =>
  ({ solved, outcome, reason, missing, failing, evidence })

/** What an honest attempt has no need to touch. */
const refusedFinding = ({ outcome, reason }: Grade): string[] => outcome === 'forbidden' ? [`forbidden: ${reason}`] : []

/** What can be said without running: null where the patch may be tried. */
export function refusePatch (bytes: Uint8Array, testFiles: readonly string[], arena: Pick<Arena, 'testFiles'>): Grade | null {
  if (Buffer.from(bytes).toString('latin1').trim() === '') return grade(false, 'empty', 'the patch is empty')
  let files: PatchFile[]
  try {
    files = readPatch(bytes)
  } catch (error) {
    if (!(error instanceof SparError)) throw error
    const unreadable = error.code === 'PATCH_MALFORMED' || error.code === 'PATCH_BAD_PATH'
    return grade(false, unreadable ? 'inapplicable' : 'forbidden', error.message, { code: error.code })
  }
  if (files.length === 0) return grade(false, 'inapplicable', 'the patch holds no file of a git diff')
  const paths = files.flatMap(touchedPaths)
  const restored = paths.filter(path => testFiles.some(file => file === path || file.startsWith(`${path}/`) || path.startsWith(`${file}/`)))
  if (restored.length > 0) return grade(false, 'forbidden', `the patch touches test files: ${restored.join(', ')}`, { paths: restored })
  const infrastructure = paths.filter(path => pathKind(path, new Set(arena.testFiles.map(file => file.path))) === 'infrastructure')
  if (infrastructure.length > 0) return grade(false, 'forbidden', `the patch touches what decides how tests run: ${infrastructure.join(', ')}`, { paths: infrastructure })
  return null
}

/** What a run of the tests says of the attempt; `control` is asked where a clean run has to decide. */
export async function judgeRun ({ expected }: Pick<GradeRequest, 'expected'>, run: TreeRun, control: () => Promise<TreeRun>, limits: VerifyLimits): Promise<Grade> {
  const evidence = { run: runEvidence('graded', run, limits.evidenceTestsMax), ...(run.opinion?.agrees === false ? { reader: run.opinion } : {}) }
  if (run.fault !== null) return await judgeFault(run, control, evidence)
  const results = run.results!
  const ids = [...expected.f2p, ...expected.p2p]
  const { missing, failing } = unmet(ids, run)
  if (missing.length + failing.length > 0) return grade(false, 'failing', `of ${ids.length} expected tests ${failing.length} fail and ${missing.length} have no result`, evidence, missing, failing)
  if (ids.length === 0) return grade(null, 'infra_fault', 'no test is expected: the bug has no verdict to grade against', evidence)
  const stopped = run.exitCode !== 0 && !Object.values(results).includes('failed')
  if (stopped && (await control()).exitCode !== run.exitCode) return grade(false, 'crashed', `the runner exits with ${run.exitCode} though no test failed`, evidence)
  return grade(true, 'solved', `all ${ids.length} expected tests pass`, evidence)
}

async function judgeFault ({ fault, killed }: TreeRun, control: () => Promise<TreeRun>, evidence: Record<string, unknown>): Promise<Grade> {
  const { by, reason } = fault!
  if (fault!.by === 'patch') {
    if (fault!.patch === attemptName) return grade(false, 'inapplicable', reason)
    return grade(null, 'infra_fault', `the bug's own ${reason}`, { code: 'BUG_INAPPLICABLE', retryable: false })
  }
  if (by !== 'script') return grade(false, 'no_results', reason, evidence)
  if (killed !== 'output' && killed !== 'disk' && (await control()).fault !== null) return grade(null, 'infra_fault', `${reason}, and the original tree fares no better`, evidence)
  return grade(false, 'crashed', reason, evidence)
}
