// `spar show <run> <rollout>`: one rollout turn by turn, from its record: what the policy said and called, what came of it,
// and what the calls cost in tokens.

import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { SparError } from '../errors.ts'
import { decodeRecord, plainRecord, turnsOf, type RolloutRecord } from '../rollout/record.ts'
import type { RunStore } from '../store/run.ts'

/** Ids of rollouts: `e0001.break`, `e0001.solve.1.0`. */
export const isRolloutId = (text: string): boolean => /^e\d+\.(?:break|solve\.\d+\.\d+)$/.test(text)

/** Throws ROLLOUT_NOT_FOUND, with what the episode has. */
export function readRollout (store: RunStore, id: string): RolloutRecord {
  const path = store.path('trajectories', `${id}.msgpack`)
  if (existsSync(path)) return decodeRecord(readFileSync(path), path)
  const folder = store.path('trajectories')
  const others = existsSync(folder) ? readdirSync(folder).map(name => name.replace(/\.msgpack$/, '')).filter(name => name.startsWith(`${id.split('.')[0]}.`)).sort() : []
  throw new SparError('ROLLOUT_NOT_FOUND', `Cannot find rollout "${id}" in the run ${store.run}: ${others.length > 0 ? `its episode has ${others.join(', ')}` : 'its episode has none yet'}`)
}

export const viewRollout = plainRecord

/** All turns, or one, counted from 1. Throws OPTION_INVALID for a turn that there is not. */
export function renderRollout (record: RolloutRecord, turn: number | null): string {
  const turns = turnsOf(record)
  if (turn !== null && turn > turns.length) throw new SparError('OPTION_INVALID', `Cannot show turn ${turn} of ${record.rollout_id}: it has ${turns.length}`)
  const shown = turns.map((text, index) => `\n--- turn ${index + 1} of ${turns.length} ${callNote(record, index)}\n${text}`)
  return (turn === null ? [headOf(record, turns.length), ...shown] : [shown[turn - 1]!]).join('\n')
}

function headOf (record: RolloutRecord, turns: number): string {
  const { policy, segments, lineage } = record
  const drawn = segments.reduce((sum, { mask }) => sum + mask.reduce((bits, bit) => bits + bit, 0), 0)
  const tokens = segments.reduce((sum, { token_ids: ids }) => sum + ids.length, 0)
  const forks = segments.flatMap(segment => segment.break_reason ?? [])
  return [
    `${record.rollout_id}: ${record.role} (${policy.name}, version ${policy.version_start === policy.version_end ? policy.version_start : `${policy.version_start} to ${policy.version_end}`}), ${record.outcome}, ${turns} turns`,
    `bug ${lineage.bug_id ?? 'none'}, order ${lineage.order}, delivery ${record.attempt}`,
    record.untrainable === null
      ? `${tokens} tokens in ${segments.length} segment(s), ${drawn} of them drawn${forks.length > 0 ? `; broken because ${forks.join(', ')}` : ''}`
      : `not to be trained on: ${record.untrainable}`
  ].join('\n')
}

function callNote ({ calls }: RolloutRecord, index: number): string {
  const call = calls.filter(call => call.error === null)[index]
  if (call === undefined) return ''
  const counts = call.prompt_tokens == null ? '' : `${call.prompt_tokens} + ${call.completion_tokens ?? 0} tokens, `
  return `(${counts}${call.finish_reason ?? 'no reason'}, ${((call.ended_at - call.started_at) / 1000).toFixed(1)} s)`
}
