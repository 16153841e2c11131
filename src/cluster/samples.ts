// A sample as the log keeps it: the settled rollout, and where its record lies. And who takes samples: a trainer reads them at a
// place that it keeps in the log, one for all runs, or one for each run that it was started for.

import type { LogEntry, LogPlace, Log } from '../bus/types.ts'
import type { Sample } from '../run/results.ts'
import type { Attachment } from './attachments.ts'
import { pack, unpack } from './codec.ts'
import { checkTrainer } from './keys.ts'

export interface KeptSample {
  sample: Sample
  /** The record of the rollout; null where there is none: infrastructure took it. */
  trajectory: Attachment | null
}

export const packSample = (kept: KeptSample): Uint8Array => pack(kept)
/** Of two samples of a rollout the first stands, but for one without a reward. */
export function keepSample (kept: Map<string, Sample>, sample: Sample): void {
  if ((kept.get(sample.rollout_id) ?? null)?.reward == null) kept.set(sample.rollout_id, sample)
}
export const readSample = ({ key, bytes }: Pick<LogEntry, 'key' | 'bytes'>): KeptSample => unpack<KeptSample>(bytes, `the sample ${key}`)

/** The readers that take the samples of a run for its trainer: one of the run alone, and one of all runs. */
export const readersOf = (trainer: string, run: string): string[] => [`${checkTrainer(trainer)}_${run}`, trainer]

/** Where the trainer stands in the samples of a run; none: it was never there. */
export async function placesOfTrainer (samples: Pick<Log, 'place'>, trainer: string, run: string): Promise<LogPlace[]> {
  const places = await Promise.all(readersOf(trainer, run).map(reader => samples.place(reader)))
  return places.filter(place => place !== null)
}
