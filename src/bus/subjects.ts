// The only file that knows a subject, a stream or a bucket by name.
//
//   <prefix>.work.<kind>.<arena>.<run>.<id>      stream <PREFIX>_WORK, a work queue
//   <prefix>.records.<key>                       stream <PREFIX>_RECORDS
//   <prefix>.samples.<key>                       stream <PREFIX>_SAMPLES
//   <prefix>.signals.<topic>                     core NATS, kept nowhere
//   buckets <prefix>_runs, _episodes, _nodes, _policies; object store <prefix>_objects

import { SparError } from '../errors.ts'
import type { Bucket, LogName, QueueKind, WorkSubject } from './types.ts'

export interface Names {
  workStream: string
  work (subject: WorkSubject): string
  /** Everything that waits at one place. */
  place (kind: QueueKind, arena: string): string
  /** Everything of a run, and of all runs. */
  workOf (run: string | undefined): string
  consumer (kind: QueueKind, arena: string): string
  readWork (subject: string): WorkSubject
  logStream (log: LogName): string
  entry (log: LogName, key: string): string
  entriesBelow (log: LogName, prefix: string): string
  readEntry (log: LogName, subject: string): string
  bucket (bucket: Bucket): string
  objects: string
  /** As NATS lays out an object store: chunks and metadata. */
  objectStream: string
  objectSubjects: string[]
  signal (topic: string): string
  signalsBelow (prefix: string): string
  readSignal (subject: string): string
}

/** Throws BUS_BAD_KEY for anything but tokens of letters, digits, "-" and "_", joined by dots. */
export function checkKey (key: string): string {
  if (!/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(key)) throw new SparError('BUS_BAD_KEY', `Cannot use "${key}" on the bus: it takes letters, digits, "-" and "_", in tokens joined by dots`, { data: { key } })
  return key
}

const below = (subject: string, prefix: string): string => prefix === '' ? `${subject}.>` : `${subject}.${checkKey(prefix)}.>`

export function createNames (prefix: string): Names {
  checkKey(prefix)
  if (prefix.includes('.')) throw new SparError('BUS_BAD_KEY', `Cannot use "${prefix}" as the prefix of a bus: it takes one token`)
  const upper = prefix.toUpperCase()
  const work = `${prefix}.work`
  const log = (name: LogName): string => `${prefix}.${name}`
  const signals = `${prefix}.signals`
  return {
    workStream: `${upper}_WORK`,
    work: ({ kind, arena, run, id }) => `${work}.${kind}.${checkKey(arena)}.${checkKey(run)}.${checkKey(id)}`,
    place: (kind, arena) => `${work}.${kind}.${checkKey(arena)}.>`,
    workOf: run => run === undefined ? `${work}.>` : `${work}.*.*.${checkKey(run)}.>`,
    consumer: (kind, arena) => `${kind}_${checkKey(arena)}`,
    readWork (subject) {
      const [kind, arena, run, ...id] = subject.slice(work.length + 1).split('.')
      return { kind: kind as QueueKind, arena: arena!, run: run!, id: id.join('.') }
    },
    logStream: name => `${upper}_${name.toUpperCase()}`,
    entry: (name, key) => `${log(name)}.${checkKey(key)}`,
    entriesBelow: (name, prefix) => below(log(name), prefix),
    readEntry: (name, subject) => subject.slice(log(name).length + 1),
    bucket: name => `${prefix}_${name}`,
    objects: `${prefix}_objects`,
    objectStream: `OBJ_${prefix}_objects`,
    objectSubjects: [`$O.${prefix}_objects.C.>`, `$O.${prefix}_objects.M.>`],
    signal: topic => `${signals}.${checkKey(topic)}`,
    signalsBelow: prefix => below(signals, prefix),
    readSignal: subject => subject.slice(signals.length + 1)
  }
}
