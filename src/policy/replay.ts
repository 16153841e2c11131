// Recorded rollouts, played again without a server: each reply is the one that the record holds for its turn, whatever the
// tools answer this time. For tests, for load, and to see what a rollout did once more. Tokens are those of the record.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Reply, RolloutTask, ToolCall } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Policy } from '../ports.ts'
import { decodeRecord, type RolloutRecord } from '../rollout/record.ts'

/** `folder`: of the run that was recorded. A rollout that it does not hold rejects with REPLAY_NO_RECORD: nothing is made up. */
export function createReplayPolicy (folder: string): Policy {
  const trajectories = join(folder, 'trajectories')
  if (!existsSync(trajectories)) throw new SparError('REPLAY_NO_RUN', `Cannot replay ${folder}: it holds no trajectories. Name the folder of a run`)
  return {
    name: 'replay',
    version: '1',
    start (task) {
      const record = readRecord(join(trajectories, `${task.rolloutId}.msgpack`), task)
      const replies = repliesOf(record)
      let turn = 0
      return {
        next: async () => replies[turn++] ?? { text: '', call: null, fault: 'the recorded rollout ends here', ends: true },
        trace: () => ({ calls: record.calls, segments: record.segments, untrainable: record.untrainable }),
        close: async () => {}
      }
    }
  }
}

function readRecord (path: string, { rolloutId, role }: RolloutTask): RolloutRecord {
  if (!existsSync(path)) throw new SparError('REPLAY_NO_RECORD', `Cannot replay rollout ${rolloutId}: there is no ${path}`)
  const record = decodeRecord(readFileSync(path), path)
  if (record.role !== role) throw new SparError('REPLAY_NO_RECORD', `Cannot replay rollout ${rolloutId} as ${role}: it was one of the ${record.role}`)
  return record
}

/** A reply without a call was either told what was wrong, or was the last. */
export function repliesOf ({ messages }: Pick<RolloutRecord, 'messages'>): Reply[] {
  return messages.flatMap((message, index): Reply[] => {
    if (message.role !== 'assistant') return []
    const call = message.tool_call as ToolCall | null
    if (call !== null) return [{ text: message.content, call, fault: null }]
    const told = messages[index + 1]?.role === 'tool' ? messages[index + 1]!.content : null
    return [told === null
      ? { text: message.content, call: null, fault: message.content || 'the policy gave up', ends: true }
      : { text: message.content, call: null, fault: told.replace(/^No tool was called: /, '') }]
  })
}
