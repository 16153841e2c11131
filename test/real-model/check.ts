// What has to hold of a run that a real model played, however badly it played: every ending is typed, scored where it is the
// model's doing and not where it is ours, and written down.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Ledger } from '../../src/bus/work.ts'
import { decodeRecord, type RolloutRecord } from '../../src/rollout/record.ts'
import type { Sample } from '../../src/run/results.ts'
import type { RunSummary } from '../../src/run/summary.ts'
import type { Ran } from '../helpers/spar.ts'

export interface Played { sample: Sample; record: RolloutRecord }

/** Returns the rollouts that the model played. Throws an AssertionError that says what does not hold. */
export function checkRun (out: string, ran: Ran, model: string, completionTokensMax: number): Played[] {
  assert.equal(ran.code, 0, `spar play ends with ${ran.code}: ${ran.err}`)
  checkLedger((ran.json as RunSummary).ledger)
  const samples = readFileSync(join(out, 'samples.jsonl'), 'utf8').trim().split('\n').map(line => JSON.parse(line) as Sample)
  const played = samples.filter(({ policy }) => policy.name === model).map(sample => ({ sample, record: decodeRecord(readFileSync(join(out, sample.trajectory))) }))
  assert.ok(played.length > 0, 'the model played nothing')
  for (const { sample, record } of played) {
    checkEnding(sample, record)
    checkRecord(sample, record, model, completionTokensMax)
    assert.match(readFileSync(join(out, 'transcripts', `${sample.rollout_id}.md`), 'utf8'), /\n## /, `${sample.rollout_id} has a transcript`)
  }
  return played
}

function checkLedger ({ dispatched, settled, cancelled, quarantined }: Ledger): void {
  assert.equal(dispatched, settled + cancelled + quarantined, 'the ledger balances')
  assert.equal(quarantined, 0, 'no work was given up')
}

function checkEnding ({ rollout_id: id, outcome, reason, reward }: Sample, record: RolloutRecord): void {
  assert.ok(outcome === 'scored' || outcome === 'policy_fault', `${id} ends as ${outcome}: ${reason}`)
  assert.equal(record.outcome, outcome)
  if (outcome === 'policy_fault') assert.deepEqual([reason === '', reward], [false, -1], `${id} says why, and costs 1`)
}

function checkRecord ({ rollout_id: id }: Sample, record: RolloutRecord, model: string, completionTokensMax: number): void {
  assert.match(record.untrainable ?? '', /token ids/, `${id} says why it cannot be trained on`)
  assert.deepEqual(record.segments, [], `${id} has no made-up tokens`)
  assert.ok(record.calls.length > 0, `${id} has calls`)
  for (const call of record.calls) {
    assert.equal(call.model, model)
    // The one error that is the model's own: its conversation does not fit.
    if (call.error !== null) assert.equal(call.error.code, 'CONTEXT_EXHAUSTED', `${id}: ${call.error.message}`)
    else {
      assert.ok(call.finish_reason === 'stop' || call.finish_reason === 'length', `${id} stopped for ${call.finish_reason}`)
      assert.ok(call.completion_tokens! <= completionTokensMax, `${id}: ${call.completion_tokens} tokens in one reply`)
    }
  }
}
