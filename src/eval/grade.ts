// Grades a patch for an instance: the run, SWE-bench's truth table over it (truth.ts), and whose fault it is where the table has no
// answer. What we bring about (a deadline, the memory, a lost sandbox, an instance that fails without the patch as well) is an error: it
// never counts for or against the model. Where a run cannot be believed, the same tree without the patch, or with the reference, is
// run and tells.
//
// Which changes to tests count differs. SWE-bench puts the tests' files back and ignores what a patch did to them. An instance
// that Spar exported keeps the rule of self-play where it is played on its repository (grade-own.ts).

import { runners } from '../arena/runners/index.ts'
import { isTestPath } from '../arena/runners/paths.ts'
import { readPatch } from '../artifact/index.ts'
import type { Arena } from '../domain.ts'
import { toPlain } from '../errors.ts'
import { verifyLimits, type VerifyLimits } from '../verify/limits.ts'
import type { NamedPatch } from '../verify/types.ts'
import { attemptName, evalGrade, readAttempt, touches, type EvalGrade, type EvalOutcome } from './attempt.ts'
import { gradeOwn } from './grade-own.ts'
import { evalLimits, type EvalInstance } from './instances.ts'
import { noSuite, testByRunner, testByScript, type EvalRun, type Ports, type RunWith, type Testing } from './runs.ts'
import { judgeRun } from './truth.ts'

/** Where an instance is played: its arena, and whether that is the image which the instance itself names. */
export interface Testbed { arena: Arena; ofImage: boolean }

/** Never rejects: what goes wrong on our side is `error`. */
export async function gradePatch (instance: EvalInstance, testbed: Testbed, patch: string, ports: Ports, signal?: AbortSignal, limits: VerifyLimits = { ...verifyLimits, scriptMsMax: evalLimits.testsMsMax }): Promise<EvalGrade> {
  if (patch.trim() === '') return evalGrade('empty', 'the patch is empty')
  try {
    if (instance.own !== null && !testbed.ofImage) return await gradeOwn(instance, instance.own, testbed.arena, patch, ports, signal)
    const { testing, testFiles } = testingOf(instance, testbed, limits, ports, signal)
    try {
      const kept = keptParts(testFiles, patch)
      return 'outcome' in kept ? kept : await judge(instance, { name: attemptName, bytes: kept.bytes }, testing.runWith)
    } finally {
      await testing.close()
    }
  } catch (error) {
    const { code, message, retryable } = toPlain(error)
    return evalGrade('error', `${code}: ${message}`, { retryable })
  }
}

/** What runs, and the files that are the tests'. */
function testingOf (instance: EvalInstance, { arena, ofImage }: Testbed, limits: VerifyLimits, ports: Ports, signal?: AbortSignal): { testing: Testing; testFiles: string[] } {
  const { id, evalScript, logParser, testPatch } = instance
  if (ofImage && evalScript !== null && logParser !== null) {
    return { testing: testByScript(id, arena, evalScript, logParser, limits, ports, signal), testFiles: patchedBy(testPatch) }
  }
  const files = testFilesOf(instance, arena)
  return { testing: testByRunner(arena, files, { name: 'test_patch', bytes: Buffer.from(testPatch) }, limits, ports, signal), testFiles: [...new Set([...files, ...patchedBy(testPatch)])] }
}

const patchedBy = (testPatch: string): string[] => readPatch(Buffer.from(testPatch)).flatMap(({ newPath }) => newPath === null ? [] : [newPath])

/** The files that the runner is given: those of the test patch, and those that ids name. */
export function testFilesOf ({ id, testPatch, f2p, p2p }: EvalInstance, arena: Arena): string[] {
  if (arena.runner === 'custom') throw noSuite(id, 'its tests would run by --test: only instances that Spar exported, or that bring an eval_script and are played in their image, say how a command of one\'s own is read')
  const known = new Set(arena.testFiles.map(({ path }) => path))
  const named = [...f2p, ...p2p].map(test => test.split('::')[0]!).filter(path => known.has(path))
  const testFiles = [...new Set([...patchedBy(testPatch).filter(path => known.has(path) || looksLikeTests(path)), ...named])].sort()
  if (testFiles.length === 0) throw noSuite(id, `its test_patch touches no file that ${runners[arena.runner].name} would run`)
  return testFiles
}

const looksLikeTests = (path: string): boolean => isTestPath(path) && /\.([cm]?[jt]sx?|py|go)$/.test(path)

function keptParts (testFiles: readonly string[], patch: string): { bytes: Uint8Array } | EvalGrade {
  const files = readAttempt(patch)
  if ('outcome' in files) return files
  const kept = files.filter(file => !touches(file, testFiles))
  return kept.length === 0 ? evalGrade('unresolved', 'the patch changes nothing but tests') : { bytes: Buffer.concat(kept.map(file => file.bytes)) }
}

/** The truth table, and the runs that tell whose fault it is where a run cannot be believed. */
async function judge (instance: EvalInstance, attempt: NamedPatch, runWith: RunWith): Promise<EvalGrade> {
  const run = await runWith([attempt])
  switch (run.kind) {
    case 'lost': return evalGrade('error', run.reason, { retryable: true })
    case 'inapplicable': return run.patch === attempt.name ? evalGrade('unresolved', run.reason) : await withoutPatch('unresolved', run.reason, runWith)
    case 'unreadable': return await withoutPatch('invalid', run.reason, runWith)
    case 'ran': {
      const judged = judgeRun(instance, run.observed)
      if (judged.outcome === 'resolved') return evalGrade('resolved', judged.reason)
      if (judged.outcome === 'unresolved') return evalGrade('unresolved', judged.reason, judged.unmet)
      return judged.why === 'no results' ? await withoutPatch('invalid', judged.reason, runWith) : await withReference(instance, judged.reason, runWith)
    }
  }
}

const hasResults = (run: EvalRun): boolean => run.kind === 'ran' && run.observed.statuses.length > 0

/** Tests that give no results without the patch either are the instance's fault. */
async function withoutPatch (outcome: EvalOutcome, reason: string, runWith: RunWith): Promise<EvalGrade> {
  const control = await runWith([])
  if (hasResults(control)) return evalGrade(outcome, reason)
  return control.kind === 'lost' ? evalGrade('error', control.reason, { retryable: true }) : evalGrade('error', `${reason}; so it is without the patch`)
}

/** A runner that fails with the reference too, though all tests pass, fails always: nothing could resolve the instance. */
async function withReference (instance: EvalInstance, reason: string, runWith: RunWith): Promise<EvalGrade> {
  if (instance.gold === null) return evalGrade('invalid', reason)
  const reference = await runWith([{ name: 'patch', bytes: Buffer.from(instance.gold) }])
  if (reference.kind === 'lost') return evalGrade('error', reference.reason, { retryable: true })
  const isSame = reference.kind === 'ran' && judgeRun(instance, reference.observed).outcome === 'invalid'
  return isSame ? evalGrade('error', `${reason}; so it is with the reference patch`) : evalGrade('invalid', reason)
}
