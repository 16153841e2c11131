// Keys of the cluster's logs and buckets. Tokens are joined by dots, so that a prefix finds what belongs together.
//
//   records   <run>.work.<work>.dispatched      it was put on the queue
//             <run>.work.<work>.failed.<n>      a delivery failed (evidence for quarantine)
//             <run>.work.<work>.ended           its ending, with result and files: the commit point
//             <run>.work.<work>.kept            the same of what an episode's owner does itself, off the queue
//             <run>.settled.<episode>           the outcome of an episode
//             <run>.settled.<episode>.back.<n>  it was put back for the nth time: what outcomes there were counts no more
//             <run>.settled.<episode>.<n>       its outcome after that
//   samples   <run>.<rollout>
//             <run>.<rollout>.scored            of one whose sample had no reward, once it was put back
//   runs      <run>
//   episodes  <run>.<episode>

import type { QueueKind } from '../bus/types.ts'
import type { WorkKind } from '../bus/work.ts'
import { SparError } from '../errors.ts'

/** Where work waits that belongs to no arena: any node may own it. */
export const anyArena = 'any'
/** Id of the message whose taker leads a run. */
export const leadId = 'lead'
/** What a run has on the queue beside that message, which goes last: without it nobody would end the run of a leader that died. */
export const ledKinds: readonly QueueKind[] = ['episode', 'rollout', 'verify', 'grade']

/** Both roles' rollouts wait in one line: a slot takes whichever comes. */
export const queueKindOf = (kind: WorkKind): QueueKind => kind === 'break' || kind === 'solve' ? 'rollout' : kind

/** Which piece of work an id names: `e0001.solve.1.0` is a `solve`. */
export const workKindOf = (id: string): WorkKind => id.split('.')[1] as WorkKind

export type RecordEntry = 'dispatched' | 'ended' | 'kept' | `failed.${number}`

export const recordKey = (run: string, work: string, entry: RecordEntry): string => `${run}.work.${work}.${entry}`
export const workPrefix = (run: string, episode: string): string => `${run}.work.${episode}`
/** `times`: how often the episode had been put back. */
export const settledKey = (run: string, episode: string, times = 0): string => `${run}.settled.${episode}${times === 0 ? '' : `.${times}`}`
export const backKey = (run: string, episode: string, times: number): string => `${run}.settled.${episode}.back.${times}`
export const settledPrefix = (run: string): string => `${run}.settled`
export const sampleKey = (run: string, rollout: string): string => `${run}.${rollout}`
export const scoredKey = (run: string, rollout: string): string => `${run}.${rollout}.scored`
export const isScoredKey = (key: string): boolean => key.endsWith('.scored')
export const episodeKey = (run: string, episode: string): string => `${run}.${episode}`

export type RecordName =
  | { kind: 'work'; run: string; work: string; entry: RecordEntry }
  | { kind: 'settled' | 'back'; run: string; episode: string; times: number }

/** What a key of the records names; null for a key of a later version. */
export function readRecordKey (key: string): RecordName | null {
  const [run, kind, ...rest] = key.split('.')
  if (kind === 'settled') {
    const [episode, ...more] = rest
    const times = Number(more.at(-1) ?? 0)
    if (!Number.isInteger(times) || more.length > 2 || (more.length === 2 && more[0] !== 'back')) return null
    return { kind: more.length === 2 ? 'back' : kind, run: run!, episode: episode!, times }
  }
  if (kind !== 'work') return null
  const entry = rest.at(-2) === 'failed' ? rest.splice(-2).join('.') : rest.pop()
  return { kind, run: run!, work: rest.join('.'), entry: entry as RecordEntry }
}

/** Names of trainers: the reader of one run's samples is `<trainer>_<run>`. Throws OPTION_INVALID. */
export function checkTrainer (name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(name)) throw new SparError('OPTION_INVALID', `Cannot use "${name}" as the name of a trainer: it takes lower-case letters, digits and "-", 32 at most`, { data: { name } })
  return name
}

/** Names of runs and nodes: safe as a token, as a file name and in a URL. Throws OPTION_INVALID. */
export function checkName (what: string, name: string): string {
  if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(name)) throw new SparError('OPTION_INVALID', `Cannot use "${name}" as ${what}: it takes lower-case letters, digits, "-" and "_", 63 at most`, { data: { name } })
  return name
}
