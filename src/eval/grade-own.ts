// Grades a patch for an instance that Spar exported, on its repository, as self-play would: with the artifact's own script and parser;
// a patch that touches tests, or what decides how they run, loses. A deadline that struck may be either's fault: the same tree without
// the patch tells.

import { createHash } from 'node:crypto'
import { pathKind, readPatch, touchedPaths } from '../artifact/index.ts'
import type { Arena } from '../domain.ts'
import { unmet } from '../verify/compare.ts'
import type { SoughtBug } from '../verify/leaks/index.ts'
import { verifyLimits } from '../verify/limits.ts'
import { createBench, runTree } from '../verify/run.ts'
import type { NamedPatch, TreeRun } from '../verify/types.ts'
import { attemptName, evalGrade, readAttempt, touches, type EvalGrade } from './attempt.ts'
import type { EvalInstance } from './instances.ts'
import type { Ports } from './runs.ts'

/** Makes the instance's tree out of the arena's. */
export const setupOf = ({ own }: Pick<EvalInstance, 'own'>): NamedPatch[] => own === null ? [] : [{ name: 'setup_patch', bytes: Buffer.from(own.setupPatch) }]

/** What of a bug of ours a solver's sandbox may not hold: the original of its changes, its tests aside; null for an issue from elsewhere. */
export function soughtBugOf ({ id, own }: Pick<EvalInstance, 'id' | 'own'>): SoughtBug | null {
  if (own === null) return null
  const inject = readPatch(Buffer.from(own.setupPatch)).filter(file => !touches(file, own.testFiles))
  return { id: `${id} ${createHash('sha256').update(own.setupPatch).digest('hex')}`, files: { bugInject: Buffer.concat(inject.map(({ bytes }) => bytes)), predPatch: null } }
}

export async function gradeOwn (instance: EvalInstance, own: NonNullable<EvalInstance['own']>, arena: Arena, patch: string, ports: Ports, signal?: AbortSignal): Promise<EvalGrade> {
  const files = readAttempt(patch)
  if ('outcome' in files) return files
  const known = new Set(arena.testFiles.map(({ path }) => path))
  const forbidden = files.find(file => touches(file, own.testFiles) || touchedPaths(file).some(path => pathKind(path, known) === 'infrastructure'))
  if (forbidden !== undefined) return evalGrade('unresolved', `the patch touches tests, or what decides how they run: ${touchedPaths(forbidden).join(', ')}`)
  const bench = createBench({ arena, run: 'eval', suite: own.suite, limits: verifyLimits }, ports)
  const testPatch: NamedPatch = { name: 'test_patch', bytes: Buffer.from(instance.testPatch) }
  const runWith = async (attempt: NamedPatch[]): Promise<TreeRun> => await runTree(bench, { patches: [...setupOf(instance), ...attempt, testPatch], purpose: 'grade', ...signal ? { signal } : {} })
  try {
    return await judge(instance, await runWith([{ name: attemptName, bytes: Buffer.concat(files.map(file => file.bytes)) }]), runWith)
  } finally {
    await Promise.all(bench.removals)
  }
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
