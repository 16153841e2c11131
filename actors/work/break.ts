// Work `break`: one rollout of the breaker. Its five files are kept as a submission, to be verified.

import { createBug, createManifest, writeArtifact } from '../../src/artifact/index.ts'
import type { Delivery } from '../../src/bus/work.ts'
import { collectArtifact } from '../../src/rollout/collect.ts'
import { createRolloutSession } from '../../src/rollout/session.ts'
import { toolLimits } from '../../src/rollout/tools.ts'
import { drawEpisode, rolloutSeed, roundOf } from '../../src/run/draw.ts'
import type { BreakResult } from '../../src/run/results.ts'
import { playRollout } from '../rollout.ts'
import type { System } from '../system.ts'
import { keepRollout, rolloutInput } from './rollout.ts'

export async function handleBreak (system: System, delivery: Delivery): Promise<BreakResult> {
  const rolloutId = delivery.work.id
  const known = system.store.result<BreakResult>(rolloutId)
  if (known) return known
  const { number } = delivery.work.payload as { number: number }
  const { arena, options, ports, store } = system
  const { strategy, params, seed } = drawEpisode(options, number)
  const startedAt = ports.clock.now()
  const session = createRolloutSession({
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
  const ended = await playRollout('breaker', session, rolloutInput(system, rolloutId, 'breaker'), delivery.signal)
  const files = session.kept
  const bug = files && createBug(files)
  const result = await keepRollout(system, delivery, {
    role: 'breaker', number, rolloutId, member: 0, groupId: roundOf(options, number), bug: { id: bug?.id ?? null, order: 1, parent: null }, startedAt
  }, session, ended)
  if (bug) {
    const { name, version } = ports.policies.breaker
    await writeArtifact(store.path('submissions', rolloutId), bug, createManifest(bug, arena, { params, strategy, seed, policy: { name, version }, verdict: null }))
  }
  const kept: BreakResult = { ...result, bugId: bug?.id ?? null, turns: session.turns.length, delivery: delivery.delivery }
  store.keepResult(rolloutId, kept)
  return kept
}
