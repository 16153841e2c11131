// What the two kinds of rollout share: budgets and deadlines, the record that is kept, the outcome in the domain's words.

import type { Arena, Outcome, Role } from '../../src/domain.ts'
import type { Delivery } from '../../src/bus/work.ts'
import { SparError } from '../../src/errors.ts'
import type { RolloutInput, RolloutOutcome } from '../../machines/rollout.ts'
import type { Sandbox, Sandboxes, SandboxSpec } from '../../src/ports.ts'
import { encodeRecord, recordOf, transcriptOf } from '../../src/rollout/record.ts'
import type { RolloutSession } from '../../src/rollout/session.ts'
import { toolLimits } from '../../src/rollout/tools.ts'
import { serverLimits } from '../../src/policy/llm/servers/limits.ts'
import { roundOf } from '../../src/run/draw.ts'
import type { System } from '../system.ts'

/** Deadlines of ours in a rollout, milliseconds. Past them the fault is ours, not the policy's. */
export const rolloutDeadlines = { openMsMax: 180_000, askMsMax: serverLimits.turnMsMax + 60_000, actMsMax: toolLimits.commandMsMax + 60_000, collectMsMax: 120_000 }

export const rolloutInput = (system: System, rolloutId: string, role: Role): RolloutInput =>
  ({ rolloutId, turnsMax: system.options.turnsMax[role], tokensMax: system.options.tokensMax[role], ...rolloutDeadlines })

/** Opens a sandbox and makes its tree the solver's; one that could not be made is not left behind. */
export async function openPrepared (sandboxes: Pick<Sandboxes, 'open'>, arena: Arena, label: SandboxSpec['label'], prepare: (sandbox: Sandbox) => Promise<void>, signal: AbortSignal): Promise<Sandbox> {
  const sandbox = await sandboxes.open({ arena, view: 'tree', network: 'none', label }, signal)
  try {
    await prepare(sandbox)
    return sandbox
  } catch (error) {
    await sandbox.destroy()
    throw error
  }
}

export interface PlayedRollout { role: Role; number: number; rolloutId: string; member: number; groupId: string; bug: { id: string | null; order: number; parent: string | null }; startedAt: number }

/** Keeps record and transcript of a rollout that has a verdict on the policy; throws what has to be issued again. */
export async function keepRollout (system: System, delivery: Delivery, played: PlayedRollout, session: RolloutSession<unknown>, ended: RolloutOutcome): Promise<{ outcome: Outcome; reason: string }> {
  const result = domainOutcome(ended)
  if (result.outcome === 'cancelled') throw new SparError('ROLLOUT_CANCELLED', 'The rollout was cancelled', { retryable: true })
  const policy = system.ports.policies[played.role]
  const record = recordOf({
    run: system.store.run,
    episodeId: played.rolloutId.split('.')[0]!,
    roundId: roundOf(system.options, played.number),
    arena: system.arena,
    ...played,
    delivery: delivery.delivery,
    policy: { name: policy.name, version: policy.version },
    session,
    outcome: result.outcome,
    endedAt: system.ports.clock.now()
  })
  await Promise.all([
    system.store.keepTranscript(played.rolloutId, transcriptOf(record)),
    system.store.keepTrajectory(played.rolloutId, encodeRecord(record))
  ])
  return result
}

function domainOutcome (ended: RolloutOutcome): { outcome: Outcome; reason: string } {
  switch (ended.kind) {
    case 'submitted': return { outcome: 'scored', reason: '' }
    case 'policy_fault': return { outcome: 'policy_fault', reason: ended.reason }
    case 'cancelled': return { outcome: 'cancelled', reason: 'cancelled' }
    case 'infra_fault': throw new SparError(ended.code, ended.reason, { retryable: true })
  }
}
