// One attempt of an evaluation: a rollout of the solver on an instance, and the grade of what it handed in. A rollout that ends
// by a fault of ours is played again, a few times; then it is an error, which says nothing of the solver.

import { toPlain } from '../../src/errors.ts'
import { evalGrade, type EvalGrade } from '../../src/eval/attempt.ts'
import { gradePatch, type Testbed } from '../../src/eval/grade.ts'
import { setupOf, soughtBugOf } from '../../src/eval/grade-own.ts'
import type { EvalInstance } from '../../src/eval/instances.ts'
import type { AttemptResult } from '../../src/eval/results.ts'
import { prepareTestbed } from '../../src/eval/testbed.ts'
import type { Clock, Policy, Sandboxes } from '../../src/ports.ts'
import { deriveSeed } from '../../src/random.ts'
import { collectPatch } from '../../src/rollout/collect.ts'
import { encodeRecord, recordOf, transcriptOf } from '../../src/rollout/record.ts'
import { createRolloutSession, type RolloutSession } from '../../src/rollout/session.ts'
import { toolLimits } from '../../src/rollout/tools.ts'
import { leakMemoryOf, scanSolverTree } from '../../src/verify/leaks/index.ts'
import { prepareTree } from '../../src/verify/solver-tree.ts'
import type { VerifyPorts } from '../../src/verify/types.ts'
import { playRollout } from '../rollout.ts'
import { openPrepared, rolloutDeadlines } from './rollout.ts'

export interface EvaluationPorts { sandboxes: Sandboxes; clock: Clock; verify: Pick<VerifyPorts, 'sandboxes' | 'cores' | 'readLog'>; solver: Policy; keep (rolloutId: string, record: Uint8Array, transcript: string): Promise<void> }
export interface EvaluationOptions { seed: number; turnsMax: number; tokensMax: number }
export interface Evaluated {
  instance: EvalInstance
  /** From 1. */
  attempt: number
  open: (instance: EvalInstance) => Promise<Testbed>
  /** A patch that is graded as it is; null: the solver plays. */
  predicted: string | null
}

/** Times that an attempt is played, at most. */
export const evaluationTriesMax = 3

/** Never rejects, but for a cancellation. What was played is not played again where only its grade is lost. */
export async function evaluateAttempt ({ instance, attempt, open, predicted }: Evaluated, options: EvaluationOptions, ports: EvaluationPorts, signal: AbortSignal): Promise<AttemptResult> {
  let played: Played | null = predicted === null ? null : { turns: 0, patch: predicted, reason: 'the patch is empty', findings: [] }
  let turns = 0
  for (let tries = 1; ; tries++) {
    let grade: EvalGrade
    try {
      const testbed = await open(instance)
      const now: Played | Fault = played ?? await playInstance(instance, attempt, tries, testbed, options, ports, signal)
      turns = now.turns
      if ('fault' in now) grade = now.fault
      else {
        played = now
        grade = await gradePatch(instance, testbed, now.patch, ports.verify, signal)
        if (grade.outcome === 'empty') grade = { ...grade, reason: now.reason }
      }
    } catch (error) {
      const { code, message, retryable } = toPlain(error)
      grade = evalGrade('error', `${code}: ${message}`, { retryable })
    }
    signal.throwIfAborted()
    if (grade.outcome !== 'error' || !grade.retryable || tries >= evaluationTriesMax) return { instance: instance.id, attempt, patch: played?.patch ?? '', turns, tries, findings: played?.findings ?? [], ...grade }
  }
}

interface Played { turns: number; patch: string; reason: string; findings: string[] }
interface Fault { turns: number; fault: EvalGrade }

async function playInstance (instance: EvalInstance, attempt: number, delivery: number, { arena, ofImage }: Testbed, { seed, turnsMax, tokensMax }: EvaluationOptions, ports: EvaluationPorts, signal: AbortSignal): Promise<Played | Fault> {
  const rolloutId = `${instance.id}.${attempt}`
  const startedAt = ports.clock.now()
  let base = ''
  let leaks: readonly string[] = []
  const session = createRolloutSession({
    policy: ports.solver,
    task: {
      role: 'solver', rolloutId, seed: deriveSeed(seed, `rollout:${rolloutId}`), tree: '', scratch: '', testCommand: arena.testCommand, turnsMax, tokensMax, commandMsMax: toolLimits.commandMsMax,
      // The tests of an issue are its grader's. Those of a bug of ours are its problem.
      ...instance.own === null ? { oraclePatch: '', issue: instance.problem } : { oraclePatch: instance.testPatch }
    },
    limits: toolLimits,
    clock: ports.clock,
    open: signal => openPrepared(ports.sandboxes, arena, { run: 'eval', purpose: rolloutId }, async sandbox => {
      base = ofImage ? await prepareTestbed(sandbox, undefined, signal) : await prepareTree(sandbox, instance.id, setupOf(instance), undefined, signal)
      const bug = soughtBugOf(instance)
      if (bug !== null) leaks = await scanSolverTree(sandbox, { bug, arena, commit: base }, leakMemoryOf(ports.sandboxes), signal)
    }, signal),
    collect: sandbox => collectPatch(sandbox, base)
  })
  const ended = await playRollout('solver', session, { rolloutId, turnsMax, tokensMax, ...rolloutDeadlines }, signal, { run: 'eval', clock: ports.clock })
  signal.throwIfAborted()
  const turns = session.turns.length
  if (ended.kind === 'infra_fault') return { turns, fault: evalGrade('error', `${ended.code}: ${ended.reason}`, { retryable: true }) }
  const findings = await keepRecord(instance, attempt, delivery, arena, session, leaks, ended.kind === 'submitted' ? 'scored' : 'policy_fault', startedAt, ports)
  return { turns, patch: Buffer.from(session.kept ?? []).toString('utf8'), reason: ended.kind === 'policy_fault' ? ended.reason : 'the solver submitted no change', findings }
}

/** Resolves to what the record says of cheating. */
async function keepRecord (instance: EvalInstance, attempt: number, delivery: number, arena: Testbed['arena'], session: RolloutSession<Uint8Array>, leaks: readonly string[], outcome: 'scored' | 'policy_fault', startedAt: number, { solver, clock, keep }: EvaluationPorts): Promise<string[]> {
  const rolloutId = `${instance.id}.${attempt}`
  const record = recordOf({
    run: 'eval', episodeId: instance.id, roundId: 'eval', arena, bug: { id: null, order: 1, parent: null }, rolloutId, role: 'solver', groupId: instance.id, member: attempt - 1, delivery,
    policy: { name: solver.name, version: solver.version }, session, outcome, startedAt, endedAt: clock.now(), findings: leaks
  })
  await keep(rolloutId, encodeRecord(record), transcriptOf(record))
  return record.integrity.findings
}
