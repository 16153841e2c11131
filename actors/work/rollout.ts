// What the two kinds of rollout share: budgets and deadlines, the record that is kept, the outcome in the domain's words.

import type { Arena, Outcome, Role } from '../../src/domain.ts'
import { workCancelled, type Delivery } from '../../src/bus/work.ts'
import { SparError } from '../../src/errors.ts'
import type { RolloutInput, RolloutOutcome } from '../../machines/rollout.ts'
import type { Sandbox, Sandboxes, SandboxSpec } from '../../src/ports.ts'
import { encodeRecord, recordOf, transcriptOf } from '../../src/rollout/record.ts'
import type { RolloutSession } from '../../src/rollout/session.ts'
import { toolLimits } from '../../src/rollout/tools.ts'
import { serverLimits } from '../../src/policy/llm/servers/limits.ts'
import { roundOf } from '../../src/run/draw.ts'
import { trajectoryPath, transcriptPath, type OutputFile } from '../../src/store/episodes.ts'
import type { Workplace } from './types.ts'

/** Deadlines of ours in a rollout, milliseconds. Past them the fault is ours, not the policy's. */
export const rolloutDeadlines = { openMsMax: 180_000, askMsMax: serverLimits.turnMsMax + 60_000, actMsMax: toolLimits.commandMsMax + 60_000, collectMsMax: 120_000 }

export const rolloutInput = ({ options }: Workplace, rolloutId: string, role: Role): RolloutInput =>
  ({ rolloutId, turnsMax: options.turnsMax[role], tokensMax: options.tokensMax[role], ...rolloutDeadlines })

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

export interface PlayedRollout { role: Role; number: number; rolloutId: string; member: number; groupId: string; bug: { id: string | null; order: number; parent: string | null }; startedAt: number; findings?: readonly string[] }

export interface RolloutOutput { outcome: Outcome; reason: string; policy: { name: string; version: string }; files: OutputFile[] }

/** Record and transcript of a rollout that has a verdict on the policy; throws what has to be issued again. */
export function rolloutOutput (place: Workplace, delivery: Delivery, played: PlayedRollout, session: RolloutSession<unknown>, ended: RolloutOutcome): RolloutOutput {
  const { outcome, reason } = domainOutcome(ended)
  if (outcome === 'cancelled') throw delivery.signal.aborted ? new SparError('ROLLOUT_CANCELLED', 'The rollout was cancelled', { retryable: true }) : new SparError(workCancelled, 'cancelled by hand')
  const { name, version } = place.ports.policies[played.role]
  const record = recordOf({
    run: place.store.run,
    episodeId: played.rolloutId.split('.')[0]!,
    roundId: roundOf(place.options, played.number),
    arena: place.arena,
    ...played,
    delivery: delivery.delivery,
    policy: { name, version },
    session,
    outcome,
    endedAt: place.ports.clock.now()
  })
  const files = [{ path: transcriptPath(played.rolloutId), bytes: Buffer.from(transcriptOf(record)) }, { path: trajectoryPath(played.rolloutId), bytes: encodeRecord(record) }]
  return { outcome, reason, policy: { name, version }, files }
}

function domainOutcome (ended: RolloutOutcome): { outcome: Outcome; reason: string } {
  switch (ended.kind) {
    case 'submitted': return { outcome: 'scored', reason: '' }
    case 'policy_fault': return { outcome: 'policy_fault', reason: ended.reason }
    case 'cancelled': return { outcome: 'cancelled', reason: 'cancelled' }
    case 'infra_fault': throw new SparError(ended.code, ended.reason, { retryable: true })
  }
}
