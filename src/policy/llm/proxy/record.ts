// The record of an attempt that an agent played through the proxy: what it asked and was answered, in the schema of every
// rollout. What the proxy cannot know (arena, bug, sandbox, what the tools cost) is null or empty; docs/proxy.md says which.

import { join } from 'node:path'
import { existsSync } from 'node:fs'
import type { Outcome, Role } from '../../../domain.ts'
import { encodeRecord, recordOf, type RolloutRecord } from '../../../rollout/record.ts'
import { writeLarge } from '../../../store/files.ts'
import type { Attempt } from './attempt.ts'

/** `e0001.break` and `e0001.solve.<order>.<member>` say where a rollout belongs; any other id is an episode of its own. */
function placeOf (rollout: string): { role: Role; episodeId: string; groupId: string; member: number; order: number } {
  const solve = /^(e\d+)\.solve\.(\d+)\.(\d+)$/.exec(rollout)
  if (solve) return { role: 'solver', episodeId: solve[1]!, groupId: `${solve[1]}.${solve[2]}`, member: Number(solve[3]), order: Number(solve[2]) }
  const breaker = /^(e\d+)\.break$/.exec(rollout)
  const episodeId = breaker?.[1] ?? rollout
  return { role: breaker ? 'breaker' : 'solver', episodeId, groupId: episodeId, member: 0, order: 1 }
}

export interface RecordFrame { run: string; policy: { name: string; version: string }; endedAt: number }

export function recordOfAttempt (attempt: Attempt, { outcome, reward }: { outcome: Outcome; reward: number | null }, { run, policy, endedAt }: RecordFrame): RolloutRecord {
  const { role, episodeId, groupId, member, order } = placeOf(attempt.rollout)
  const record = recordOf({
    run, episodeId, roundId: episodeId, arena: { id: null, image: null }, bug: { id: null, order, parent: null }, rolloutId: attempt.rollout, role, groupId, member, delivery: attempt.attempt, policy,
    session: { turns: [], tools: [], sandbox: null, trace: attempt.trace() }, outcome, startedAt: attempt.startedAt, endedAt
  })
  return { ...record, messages: attempt.messages, reward, integrity: { findings: attempt.leftOut.map(name => `the agent asked for the tool "${name}", which it did not get`) } }
}

/** Where records go. */
export interface Records {
  has (rollout: string, attempt: number): boolean
  /** The place of the record. Rejects with STORE_WRITE_FAILED. */
  write (record: RolloutRecord): Promise<string>
}

/** A file for each, `<rollout>.<attempt>.msgpack`; none is written over. */
export function createRecordFolder (folder: string): Records {
  const pathOf = (rollout: string, attempt: number): string => join(folder, `${rollout}.${attempt}.msgpack`)
  return {
    has: (rollout, attempt) => existsSync(pathOf(rollout, attempt)),
    async write (record) {
      const path = pathOf(record.rollout_id, record.attempt)
      await writeLarge(path, encodeRecord(record))
      return path
    }
  }
}
