// Grades a patch for an instance, by SWE-bench's truth table: resolved if and only if every test of FAIL_TO_PASS and
// PASS_TO_PASS is there and passed. What we bring about (a lost sandbox, an instance that fails without the patch as well) is an
// error: it never counts for or against the model. Where the table cannot tell whose fault a run without results is, the
// same tree without the patch is run and tells.
//
// Which changes to tests count differs. SWE-bench puts the tests' files back and ignores what a patch did to them. An instance
// that Spar exported keeps the rule of self-play: a patch that touches them, or what decides how tests run, loses.

import { runners } from '../arena/runners/index.ts'
import { isTestPath } from '../arena/runners/paths.ts'
import { pathKind, readPatch, touchedPaths, type PatchFile } from '../artifact/index.ts'
import type { Arena } from '../domain.ts'
import { SparError, toPlain } from '../errors.ts'
import { unmet } from '../verify/compare.ts'
import { verifyLimits } from '../verify/limits.ts'
import { createBench, runTree } from '../verify/run.ts'
import type { NamedPatch, Suite, TreeRun, VerifyPorts } from '../verify/types.ts'
import type { EvalInstance } from './instances.ts'

export type EvalOutcome = 'resolved' | 'unresolved' | 'empty' | 'error'
/** `retryable`: of an error, whether another try may do better. */
export interface EvalGrade { outcome: EvalOutcome; reason: string; missing: string[]; failing: string[]; retryable: boolean }

export const evalGrade = (outcome: EvalOutcome, reason: string, { missing = [], failing = [], retryable = false }: Partial<EvalGrade> = {}): EvalGrade => ({ outcome, reason, missing, failing, retryable })

/** Never rejects: what goes wrong on our side is `error`. */
export async function gradePatch (instance: EvalInstance, arena: Arena, patch: string, ports: Pick<VerifyPorts, 'sandboxes' | 'cores' | 'readLog'>, signal?: AbortSignal): Promise<EvalGrade> {
  if (patch.trim() === '') return evalGrade('empty', 'the patch is empty')
  try {
    const plan = planOf(instance, arena)
    const kept = keptParts(instance, arena, plan.testFiles, patch)
    if ('outcome' in kept) return kept
    const bench = createBench({ arena, run: 'eval', suite: plan.suite, limits: verifyLimits }, ports)
    try {
      const runWith = async (attempt: NamedPatch[]): Promise<TreeRun> => await runTree(bench, { patches: [...setupOf(instance), ...attempt, testsOf(instance)], purpose: 'grade', ...signal ? { signal } : {} })
      return await judge(instance, await runWith([{ name: attemptName, bytes: kept.bytes }]), runWith)
    } finally {
      await Promise.all(bench.removals)
    }
  } catch (error) {
    const { code, message, retryable } = toPlain(error)
    return evalGrade('error', `${code}: ${message}`, { retryable })
  }
}

const attemptName = 'the attempt'
export const setupOf = ({ own }: EvalInstance): NamedPatch[] => own === null ? [] : [{ name: 'setup_patch', bytes: Buffer.from(own.setupPatch) }]
const testsOf = ({ testPatch }: EvalInstance): NamedPatch => ({ name: 'test_patch', bytes: Buffer.from(testPatch) })

/** What runs, and the files that are the tests'. */
export function planOf ({ id, own, testPatch, f2p, p2p }: EvalInstance, arena: Arena): { suite: Suite; testFiles: string[] } {
  if (own !== null) return { suite: own.suite, testFiles: own.testFiles }
  if (arena.runner === 'custom') throw new SparError('EVAL_NO_SUITE', `Cannot evaluate ${id} with the tests of --test: only instances that Spar exported say how a command of one's own is read`)
  const known = new Set(arena.testFiles.map(({ path }) => path))
  const patched = readPatch(Buffer.from(testPatch)).flatMap(({ newPath }) => newPath === null ? [] : [newPath])
  const named = [...f2p, ...p2p].map(test => test.split('::')[0]!).filter(path => known.has(path))
  const testFiles = [...new Set([...patched.filter(path => known.has(path) || looksLikeTests(path)), ...named])].sort()
  if (testFiles.length === 0) throw new SparError('EVAL_NO_SUITE', `Cannot evaluate ${id}: its test_patch touches no file that ${arena.runner} would run`)
  const { script, parser } = runners[arena.runner]
  return { suite: { script: Buffer.from(script(testFiles)), parser: Buffer.from(parser.source), parserName: parser.name }, testFiles: [...new Set([...testFiles, ...patched])] }
}

const looksLikeTests = (path: string): boolean => isTestPath(path) && /\.([cm]?[jt]sx?|py|go)$/.test(path)

/** The parts of a patch that count, or what can be said without a run. */
function keptParts ({ own }: EvalInstance, arena: Arena, testFiles: readonly string[], patch: string): { bytes: Uint8Array } | EvalGrade {
  let files: PatchFile[]
  try {
    files = readPatch(Buffer.from(patch))
  } catch (error) {
    if (!(error instanceof SparError)) throw error
    return evalGrade('unresolved', `the patch cannot be read: ${error.message}`)
  }
  if (files.length === 0) return evalGrade('unresolved', 'the patch holds no file of a git diff')
  const isTests = (file: PatchFile): boolean => touchedPaths(file).some(path => testFiles.some(test => test === path || test.startsWith(`${path}/`) || path.startsWith(`${test}/`)))
  const known = new Set(arena.testFiles.map(({ path }) => path))
  const forbidden = own === null ? undefined : files.find(file => isTests(file) || touchedPaths(file).some(path => pathKind(path, known) === 'infrastructure'))
  if (forbidden !== undefined) return evalGrade('unresolved', `the patch touches tests, or what decides how they run: ${touchedPaths(forbidden).join(', ')}`)
  const kept = files.filter(file => !isTests(file))
  return kept.length === 0 ? evalGrade('unresolved', 'the patch changes nothing but tests') : { bytes: Buffer.concat(kept.map(file => file.bytes)) }
}

async function judge (instance: EvalInstance, run: TreeRun, runWith: (attempt: NamedPatch[]) => Promise<TreeRun>): Promise<EvalGrade> {
  const { fault, results } = run
  if (fault !== null) {
    if (fault.by === 'patch' && fault.patch === attemptName) return evalGrade('unresolved', fault.reason)
    const control = await runWith([])
    return control.fault === null ? evalGrade('unresolved', fault.reason) : evalGrade('error', `${control.fault.reason}; so it is without the patch`)
  }
  const ids = [...instance.f2p, ...instance.p2p]
  const { missing, failing } = unmet(ids, run)
  if (missing.length + failing.length > 0) return evalGrade('unresolved', `of ${ids.length} tests ${failing.length} fail and ${missing.length} have no result`, { missing, failing })
  const stopped = run.exitCode !== 0 && !Object.values(results!).includes('failed')
  if (!stopped) return evalGrade('resolved', `all ${ids.length} tests pass`)
  // The reference tells whether the suite always ends so.
  const why = `the runner exits with ${run.exitCode} though no test failed`
  if (instance.gold === null) return evalGrade('error', `${why}, and no reference patch tells whether it always does`)
  const reference = await runWith([{ name: 'patch', bytes: Buffer.from(instance.gold) }])
  return reference.exitCode === run.exitCode ? evalGrade('resolved', `all ${ids.length} tests pass`) : evalGrade('unresolved', why)
}
