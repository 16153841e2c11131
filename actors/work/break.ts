// Work `break`: one rollout of the breaker. Its five files are kept as a submission, to be verified.

import { createBug, createManifest } from '../../src/artifact/index.ts'
import type { Delivery } from '../../src/bus/work.ts'
import { collectArtifact } from '../../src/rollout/collect.ts'
import { createRolloutSession } from '../../src/rollout/session.ts'
import { toolLimits } from '../../src/rollout/tools.ts'
import { drawEpisode, rolloutSeed, roundOf } from '../../src/run/draw.ts'
import type { BreakResult } from '../../src/run/results.ts'
import { output, submissionFolder, type WorkOutput } from '../../src/store/episodes.ts'
import { playRollout } from '../rollout.ts'
import { rolloutInput, rolloutOutput } from './rollout.ts'
import type { Workplace } from './types.ts'

export async function handleBreak (place: Workplace, delivery: Delivery): Promise<WorkOutput<BreakResult>> {
  const rolloutId = delivery.work.id
  const { number } = delivery.work.payload as { number: number }
  const { arena, options, ports, store } = place
  const { strategy, params, seed } = drawEpisode(options, number)
  const startedAt = ports.clock.now()
  const watch = ports.watch?.rollout({ rolloutId, role: 'breaker', delivery: delivery.delivery, policy: ports.policies.breaker.name, startedAt })
  const session = createRolloutSession({
    watch,
    policy: ports.policies.breaker,
    task: {
      role: 'breaker', rolloutId, strategy, params, seed: rolloutSeed(options, rolloutId), tree: '', scratch: '', testCommand: arena.testCommand,
      turnsMax: options.turnsMax.breaker, tokensMax: options.tokensMax.breaker, commandMsMax: toolLimits.commandMsMax
    },
    limits: toolLimits,
    clock: ports.clock,
    open: signal => ports.sandboxes.open({ arena, view: 'history', network: 'none', label: { run: store.run, purpose: rolloutId } }, signal),
    collect: (sandbox, call) => collectArtifact(sandbox, call)
  })
  const ended = await playRollout('breaker', session, rolloutInput(place, rolloutId, 'breaker'), delivery.signal, { ...ports, run: store.run })
  watch?.ended(ended)
  const files = session.kept
  const bug = files && createBug(files)
  const { outcome, reason, policy, findings, files: kept } = rolloutOutput(place, delivery, {
    role: 'breaker', number, rolloutId, member: 0, groupId: roundOf(options, number), bug: { id: bug?.id ?? null, order: 1, parent: null }, startedAt
  }, session, ended)
  return output({ outcome, reason, bugId: bug?.id ?? null, policy, findings, turns: session.turns.length, delivery: delivery.delivery }, {
    files: kept,
    artifact: bug && { folder: submissionFolder(rolloutId), bug, manifest: createManifest(bug, arena, { params, strategy, seed, policy, verdict: null }) }
  })
}
