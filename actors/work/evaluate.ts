// One attempt of an evaluation: a rollout of the solver on an instance, and the grade of what it handed in. A rollout that ends
// by a fault of ours is played again, a few times; then it is an error, which says nothing of the solver.

import type { Arena } from '../../src/domain.ts'
import { toPlain } from '../../src/errors.ts'
import { evalGrade, gradePatch, setupOf, type EvalGrade } from '../../src/eval/grade.ts'
import type { EvalInstance } from '../../src/eval/instances.ts'
import type { AttemptResult } from '../../src/eval/results.ts'
import type { Clock, Policy, Sandboxes } from '../../src/ports.ts'
import { deriveSeed } from '../../src/random.ts'
import { collectPatch } from '../../src/rollout/collect.ts'
import { encodeRecord, recordOf, transcriptOf } from '../../src/rollout/record.ts'
import { createRolloutSession, type RolloutSession } from '../../src/rollout/session.ts'
import { toolLimits } from '../../src/rollout/tools.ts'
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
  open: (instance: EvalInstance) => Promise<Arena>
  /** A patch that is graded as it is; null: the solver plays. */
  predicted: string | null
}

/** Times that an attempt is played, at most. */
export const evaluationTriesMax = 3

/** Never rejects, but for a cancellation. */
export async function evaluateAttempt ({ instance, attempt, open, predicted }: Evaluated, options: EvaluationOptions, ports: EvaluationPorts, signal: AbortSignal): Promise<AttemptResult> {
  const resultOf = (grade: EvalGrade, tries: number, patch = '', turns = 0): AttemptResult => ({ instance: instance.id, attempt, patch, turns, tries, ...grade })
  for (let tries = 1; ; tries++) {
    let result: AttemptResult
    try {
      const arena = await open(instance)
      const played = predicted !== null ? { turns: 0, patch: predicted, reason: 'the patch is empty' } : await playInstance(instance, attempt, tries, arena, options, ports, signal)
      const grade = 'fault' in played ? played.fault : await gradePatch(instance, arena, played.patch, ports.verify, signal)
      result = resultOf('reason' in played && grade.outcome === 'empty' ? { ...grade, reason: played.reason } : grade, tries, 'patch' in played ? played.patch : '', played.turns)
    } catch (error) {
      const { code, message, retryable } = toPlain(error)
      result = resultOf(evalGrade('error', `${code}: ${message}`, { retryable }), tries)
    }
    signal.throwIfAborted()
    if (result.outcome !== 'error' || !result.retryable || tries >= evaluationTriesMax) return result
  }
}

type PlayedInstance = { turns: number } & ({ patch: string; reason: string } | { fault: EvalGrade })

async function playInstance (instance: EvalInstance, attempt: number, delivery: number, arena: Arena, { seed, turnsMax, tokensMax }: EvaluationOptions, ports: EvaluationPorts, signal: AbortSignal): Promise<PlayedInstance> {
  const rolloutId = `${instance.id}.${attempt}`
  const startedAt = ports.clock.now()
  let base = ''
  const session = createRolloutSession({
    policy: ports.solver,
    task: {
      role: 'solver', rolloutId, seed: deriveSeed(seed, `rollout:${rolloutId}`), tree: '', scratch: '', testCommand: arena.testCommand, turnsMax, tokensMax, commandMsMax: toolLimits.commandMsMax,
      // The tests of an issue are its grader's. Those of a bug of ours are its problem.
      ...instance.own === null ? { oraclePatch: '', issue: instance.problem } : { oraclePatch: instance.testPatch }
    },
    limits: toolLimits,
    clock: ports.clock,
    open: signal => openPrepared(ports.sandboxes, arena, { run: 'eval', purpose: rolloutId }, async sandbox => { base = await prepareTree(sandbox, instance.id, setupOf(instance), undefined, signal) }, signal),
    collect: sandbox => collectPatch(sandbox, base)
  })
  const ended = await playRollout('solver', session, { rolloutId, turnsMax, tokensMax, ...rolloutDeadlines }, signal)
  signal.throwIfAborted()
  const turns = session.turns.length
  if (ended.kind === 'infra_fault') return { turns, fault: evalGrade('error', `${ended.code}: ${ended.reason}`, { retryable: true }) }
  await keepRecord(instance, attempt, delivery, arena, session, ended.kind === 'submitted' ? 'scored' : 'policy_fault', startedAt, ports)
  return { turns, patch: Buffer.from(session.kept ?? []).toString('utf8'), reason: ended.kind === 'policy_fault' ? ended.reason : 'the solver submitted no change' }
}

async function keepRecord (instance: EvalInstance, attempt: number, delivery: number, arena: Arena, session: RolloutSession<Uint8Array>, outcome: 'scored' | 'policy_fault', startedAt: number, { solver, clock, keep }: EvaluationPorts): Promise<void> {
  const rolloutId = `${instance.id}.${attempt}`
  const record = recordOf({
    run: 'eval', episodeId: instance.id, roundId: 'eval', arena, bug: { id: null, order: 1, parent: null }, rolloutId, role: 'solver', groupId: instance.id, member: attempt - 1, delivery,
    policy: { name: solver.name, version: solver.version }, session, outcome, startedAt, endedAt: clock.now()
  })
  await keep(rolloutId, encodeRecord(record), transcriptOf(record))
}
