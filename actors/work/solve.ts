// Work `solve`: one rollout of the solver on a bug. Only its diff leaves the sandbox.

import { readArtifact } from '../../src/artifact/index.ts'
import type { Delivery } from '../../src/bus/work.ts'
import { collectPatch } from '../../src/rollout/collect.ts'
import { createRolloutSession } from '../../src/rollout/session.ts'
import { toolLimits } from '../../src/rollout/tools.ts'
import { rolloutSeed } from '../../src/run/draw.ts'
import type { SolveResult } from '../../src/run/results.ts'
import { oraclePatch, prepareSolverTree } from '../../src/verify/solver-tree.ts'
import { playRollout } from '../rollout.ts'
import type { System } from '../system.ts'
import { keepRollout, openPrepared, rolloutInput } from './rollout.ts'

export interface AttemptPayload { number: number; episodeId: string; bugId: string; order: number; member: number }

export async function handleSolve (system: System, delivery: Delivery): Promise<SolveResult> {
  const rolloutId = delivery.work.id
  const { arena, options, ports, store } = system
  const known = store.result<SolveResult>(rolloutId)
  if (known) return known
  const { number, bugId, order, member, episodeId } = delivery.work.payload as AttemptPayload
  const { bug } = await readArtifact(store.bugDir(bugId))
  const startedAt = ports.clock.now()
  let base = ''
  const session = createRolloutSession({
    policy: ports.policies.solver,
    task: {
      role: 'solver', rolloutId, oraclePatch: oraclePatch(bug), seed: rolloutSeed(options, rolloutId), tree: '', scratch: '',
      testCommand: arena.testCommand, turnsMax: options.turnsMax.solver, tokensMax: options.tokensMax.solver, commandMsMax: toolLimits.commandMsMax
    },
    limits: toolLimits,
    clock: ports.clock,
    open: signal => openPrepared(ports.sandboxes, arena, { run: store.run, purpose: rolloutId }, async sandbox => { base = await prepareSolverTree(sandbox, bug, undefined, signal) }, signal),
    collect: sandbox => collectPatch(sandbox, base)
  })
  const ended = await playRollout('solver', session, rolloutInput(system, rolloutId, 'solver'), delivery.signal)
  const result = await keepRollout(system, delivery, {
    role: 'solver', number, rolloutId, member, groupId: `${episodeId}.${order}`, bug: { id: bugId, order, parent: bug.parent }, startedAt
  }, session, ended)
  if (session.kept) store.keepAttempt(rolloutId, session.kept)
  const kept: SolveResult = { ...result, submitted: session.kept !== null, turns: session.turns.length, delivery: delivery.delivery }
  store.keepResult(rolloutId, kept)
  return kept
}
