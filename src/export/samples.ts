// Samples for trainers and notebooks: one rollout a line, the record as it was kept with the reward that was settled later.
// A rollout that was never played has no record: its line carries the settled fields and no messages.

import { existsSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeRecord, plainRecord, recordSchema, type RolloutRecord } from '../rollout/record.ts'
import type { Sample } from '../run/results.ts'
import type { RunStore } from '../store/run.ts'
import { jsonLine } from './lines.ts'
import type { LeftOut } from './types.ts'

export async function writeSamples (folder: string, store: RunStore): Promise<{ instances: number; leftOut: LeftOut[] }> {
  const samples = store.samples.all()
  const file = await open(join(folder, 'samples.jsonl'), 'w')
  try {
    for (const sample of samples) await file.writeFile(jsonLine(sampleLine(store, sample)))
  } finally {
    await file.close()
  }
  return { instances: samples.length, leftOut: [] }
}

export function sampleLine (store: RunStore, { trajectory, ...sample }: Sample): object {
  // Runs from before groups said their size have no such field.
  const settled = { ...sample, group_size: sample.group_size ?? null }
  const record = readRecord(store.path(trajectory))
  if (record === null) return { schema_version: recordSchema, run_id: store.run, ...settled, messages: null }
  return { ...plainRecord(record), ...settled, policy: record.policy }
}

function readRecord (path: string): RolloutRecord | null {
  return existsSync(path) ? decodeRecord(readFileSync(path), path) : null
}
