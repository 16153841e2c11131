// Work `solve`: one rollout of the solver on a bug. Only its diff leaves the sandbox.

import type { Delivery } from '../../src/bus/work.ts'
import { collectPatch } from '../../src/rollout/collect.ts'
import { createRolloutSession } from '../../src/rollout/session.ts'
import { toolLimits } from '../../src/rollout/tools.ts'
import { rolloutSeed } from '../../src/run/draw.ts'
import type { SolveResult } from '../../src/run/results.ts'
import { attemptPath, output, type WorkOutput } from '../../src/store/episodes.ts'
import { leakMemoryOf, scanSolverTree } from '../../src/verify/leaks/index.ts'
import { oraclePatch, prepareSolverTree } from '../../src/verify/solver-tree.ts'
import { playRollout } from '../rollout.ts'
import { openPrepared, rolloutInput, rolloutOutput } from './rollout.ts'
import type { Workplace } from './types.ts'

export interface AttemptPayload { number: number; episodeId: string; bugId: string; order: number; member: number }

export async function handleSolve (place: Workplace, delivery: Delivery): Promise<WorkOutput<SolveResult>> {
  const rolloutId = delivery.work.id
  const { arena, options, ports, store } = place
  const { number, bugId, order, member, episodeId } = delivery.work.payload as AttemptPayload
  const { bug } = await store.bug({ episodeId, bugId, order })
  const startedAt = ports.clock.now()
  let base = ''
  let leaks: readonly string[] = []
  const watch = ports.watch?.rollout({ rolloutId, role: 'solver', delivery: delivery.delivery, policy: ports.policies.solver.name, startedAt })
  const session = createRolloutSession({
    watch,
    policy: ports.policies.solver,
    task: {
      role: 'solver', rolloutId, oraclePatch: oraclePatch(bug), seed: rolloutSeed(options, rolloutId), tree: '', scratch: '',
      testCommand: arena.testCommand, turnsMax: options.turnsMax.solver, tokensMax: options.tokensMax.solver, commandMsMax: toolLimits.commandMsMax
    },
    limits: toolLimits,
    clock: ports.clock,
    open: signal => openPrepared(ports.sandboxes, arena, { run: store.run, purpose: rolloutId }, async sandbox => {
      base = await prepareSolverTree(sandbox, bug, undefined, signal)
      leaks = await scanSolverTree(sandbox, { bug, arena, commit: base }, leakMemoryOf(ports.sandboxes), signal)
    }, signal),
    collect: sandbox => collectPatch(sandbox, base)
  })
  const ended = await playRollout('solver', session, rolloutInput(place, rolloutId, 'solver'), delivery.signal, { ...ports, run: store.run })
  watch?.ended(ended)
  const { outcome, reason, policy, findings, files } = rolloutOutput(place, delivery, {
    role: 'solver', number, rolloutId, member, groupId: `${episodeId}.${order}`, bug: { id: bugId, order, parent: bug.parent }, startedAt, findings: leaks
  }, session, ended)
  return output({ outcome, reason, submitted: session.kept !== null, policy, findings, turns: session.turns.length, delivery: delivery.delivery }, {
    files: session.kept === null ? files : [...files, { path: attemptPath(rolloutId), bytes: session.kept }]
  })
}
