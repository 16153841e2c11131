// What an evaluation leaves behind: a result for each attempt, written last, so that an evaluation goes on where it was ended;
// predictions as SWE-bench has them; and the table. An error is in no rate: it is told beside it.

import { join } from 'node:path'
import { SparError } from '../errors.ts'
import { readJson, writeAtomic, writeJson } from '../store/files.ts'
import { holdFolder } from '../store/hold.ts'
import type { EvalGrade, EvalOutcome } from './attempt.ts'

export interface AttemptResult extends EvalGrade {
  instance: string
  /** From 1. */
  attempt: number
  patch: string
  turns: number
  /** Times it was played until it had a verdict, or until it was given up. */
  tries: number
  /** What looks like cheating, and where the solver could have read the original; not there in those of former versions. */
  findings?: string[]
}

/** What must be the same when an evaluation goes on. */
export interface EvalFile { schema_version: 1; tasks_sha256: string; solver: string; model: string; attempts: number; seed: number; options: Record<string, unknown> }

export interface EvalStore {
  readonly dir: string
  /** null: not played yet. */
  result (instance: string, attempt: number): AttemptResult | null
  keep (result: AttemptResult): void
  path (...parts: string[]): string
}

/** Throws EVAL_EXISTS, and OPTION_DIFFERS where an evaluation would go on with something else. */
export function openEval (dir: string, file: EvalFile, resume: boolean): EvalStore {
  const path = join(dir, 'eval.json')
  const known = readJson<EvalFile>(path)
  if (known !== null && !resume) throw new SparError('EVAL_EXISTS', `Cannot start an evaluation in ${dir}: it holds one already. Use --resume to go on with it, or another --out.`)
  if (known === null && resume) throw new SparError('EVAL_NOT_FOUND', `Cannot go on with ${dir}: it holds no evaluation`)
  const odd = known === null ? undefined : (Object.keys(file) as (keyof EvalFile)[]).find(name => JSON.stringify(known[name]) !== JSON.stringify(file[name]))
  if (odd !== undefined) throw new SparError('OPTION_DIFFERS', `Cannot go on with ${dir}: ${odd} was ${JSON.stringify(known![odd])} and is ${JSON.stringify(file[odd])} now`)
  if (known === null) writeJson(path, file)
  holdFolder(dir)
  const resultPath = (instance: string, attempt: number): string => join(dir, 'results', `${instance}.${attempt}.json`)
  return {
    dir,
    result: (instance, attempt) => readJson<AttemptResult>(resultPath(instance, attempt)),
    keep: result => writeJson(resultPath(result.instance, result.attempt), result),
    path: (...parts) => join(dir, ...parts)
  }
}

export interface EvalSummary {
  out: string
  model: string
  attempts: number
  /** Attempts by how they ended. */
  resolved: number
  unresolved: number
  invalid: number
  empty: number
  error: number
  /** Attempts with findings, whatever became of them. */
  labelled: number
  /** Share of an instance's attempts with a verdict that resolve it, the mean over the instances that have one; null where none has. */
  resolvedShare: number | null
  resolved_ids: string[]
  unresolved_ids: string[]
  invalid_ids: string[]
  empty_patch_ids: string[]
  error_ids: string[]
  instances: { instance_id: string; attempts: { outcome: EvalOutcome; reason: string; missing: string[]; failing: string[]; skipped: string[]; turns: number; tries: number; findings: string[] }[] }[]
}

const best: readonly EvalOutcome[] = ['resolved', 'unresolved', 'invalid', 'empty', 'error']

/** An instance stands under its best attempt in the lists of ids. */
export function summarise (out: string, model: string, attempts: number, groups: readonly { id: string; results: readonly AttemptResult[] }[]): EvalSummary {
  const all = groups.flatMap(({ results }) => results)
  const count = (outcome: EvalOutcome): number => all.filter(result => result.outcome === outcome).length
  const bestIs = (outcome: EvalOutcome): string[] => groups.filter(({ results }) => best.find(word => results.some(result => result.outcome === word)) === outcome).map(({ id }) => id)
  const shares = groups.map(({ results }) => results.filter(({ outcome }) => outcome !== 'error')).filter(results => results.length > 0)
    .map(results => results.filter(({ outcome }) => outcome === 'resolved').length / results.length)
  return {
    out, model, attempts,
    resolved: count('resolved'), unresolved: count('unresolved'), invalid: count('invalid'), empty: count('empty'), error: count('error'), labelled: all.filter(({ findings = [] }) => findings.length > 0).length,
    resolvedShare: shares.length === 0 ? null : shares.reduce((sum, share) => sum + share, 0) / shares.length,
    resolved_ids: bestIs('resolved'), unresolved_ids: bestIs('unresolved'), invalid_ids: bestIs('invalid'), empty_patch_ids: bestIs('empty'), error_ids: bestIs('error'),
    instances: groups.map(({ id, results }) => ({ instance_id: id, attempts: results.map(({ outcome, reason, missing, failing, skipped, turns, tries, findings = [] }) => ({ outcome, reason, missing, failing, skipped, turns, tries, findings })) }))
  }
}

/**
 * `predictions.jsonl` holds the first attempt of every instance, `predictions-2.jsonl` the second, and so on: SWE-bench takes one
 * patch an instance. An attempt that ended as an error is left out: it is no prediction.
 */
export function writePredictions (store: EvalStore, model: string, attempts: number, results: readonly AttemptResult[]): void {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const lines = results.filter(result => result.attempt === attempt && result.outcome !== 'error')
      .map(({ instance, patch }) => JSON.stringify({ instance_id: instance, model_name_or_path: model, model_patch: patch }) + '\n')
    writeAtomic(store.path(attempt === 1 ? 'predictions.jsonl' : `predictions-${attempt}.jsonl`), lines.join(''))
  }
}
