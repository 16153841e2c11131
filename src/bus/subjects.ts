// The only file that knows a subject, a stream or a bucket by name.
//
//   <prefix>.work.<kind>.<arena>.<run>.<id>      stream <PREFIX>_WORK, a work queue
//   <prefix>.records.<key>                       stream <PREFIX>_RECORDS
//   <prefix>.samples.<key>                       stream <PREFIX>_SAMPLES
//   <prefix>.signals.<topic>                     core NATS, kept nowhere
//   <prefix>.bridge.<service>.<method>           core NATS, calls; <prefix>.bridge.<service>.<instance>.<method> of one instance
//   <prefix>.answers.<client>.<call>             core NATS, what a server says to the client of a call
//   <prefix>.calls.<server>.<call>               core NATS, what a client says to the server of its call
//   buckets <prefix>_runs, _episodes, _nodes, _policies; object store <prefix>_objects

import { SparError } from '../errors.ts'
import type { Bucket, LogName, QueueKind, WorkSubject } from './types.ts'

export interface Names {
  workStream: string
  work (subject: WorkSubject): string
  /** Everything that waits at one place. */
  place (kind: QueueKind, arena: string): string
  /** Everything of a run, or of all runs; of one kind, or of all. */
  workOf (run: string | undefined, kind?: QueueKind): string
  consumer (kind: QueueKind, arena: string): string
  readWork (subject: string): WorkSubject
  logStream (log: LogName): string
  entry (log: LogName, key: string): string
  entriesBelow (log: LogName, prefix: string): string
  readEntry (log: LogName, subject: string): string
  /** The prefix of which `entriesBelow` gives this; null for another subject. */
  readEntriesBelow (log: LogName, subject: string): string | null
  /** As NATS lays out a bucket. */
  bucketStream (bucket: Bucket): string
  values (bucket: Bucket): string
  value (bucket: Bucket, key: string): string
  readValue (bucket: Bucket, subject: string): string
  /** As NATS lays out an object store: chunks and metadata. */
  objects: string
  objectStream: string
  objectSubjects: string[]
  objectMeta (name: string): string
  objectChunks (id: string): string
  signal (topic: string): string
  signalsBelow (prefix: string): string
  readSignal (subject: string): string
  /** Where a method of a service, or of one instance of it, is called. */
  bridge (service: string, method: string, instance?: string | null): string
  /** Below which a side of calls hears the other. */
  inbox (side: 'client' | 'server', id: string): string
}

const isKey = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/

/** Throws BUS_BAD_KEY for anything but tokens of letters, digits, "-" and "_", joined by dots. */
export function checkKey (key: string): string {
  if (!isKey.test(key)) throw new SparError('BUS_BAD_KEY', `Cannot use "${key}" on the bus: it takes letters, digits, "-" and "_", in tokens joined by dots`, { data: { key } })
  return key
}

/** A prefix is a key, or '' for all. */
export const checkPrefix = (prefix: string): string => prefix === '' ? prefix : checkKey(prefix)

/** Throws BUS_BAD_KEY for anything but one token. */
function checkToken (what: string, token: string): string {
  if (checkKey(token).includes('.')) throw new SparError('BUS_BAD_KEY', `Cannot use "${token}" as ${what}: it takes one token, without a dot`, { data: { key: token } })
  return token
}

export const checkArena = (arena: string): string => checkToken('an arena', arena)
export const checkRun = (run: string): string => checkToken('a run', run)

/** As `$O` writes base64. */
export const padded = (base64: string): string => base64.padEnd(Math.ceil(base64.length / 4) * 4, '=')

const below = (subject: string, prefix: string): string => prefix === '' ? `${subject}.>` : `${subject}.${checkKey(prefix)}.>`

export function createNames (prefix: string): Names {
  checkToken('the prefix of a bus', prefix)
  const upper = prefix.toUpperCase()
  const work = `${prefix}.work`
  const log = (name: LogName): string => `${prefix}.${name}`
  const signals = `${prefix}.signals`
  const bucket = (name: Bucket): string => `${prefix}_${name}`
  return {
    workStream: `${upper}_WORK`,
    work: ({ kind, arena, run, id }) => `${work}.${kind}.${checkArena(arena)}.${checkRun(run)}.${checkKey(id)}`,
    place: (kind, arena) => `${work}.${kind}.${checkArena(arena)}.>`,
    workOf: (run, kind) => run === undefined ? `${work}.>` : `${work}.${kind ?? '*'}.*.${checkRun(run)}.>`,
    consumer: (kind, arena) => `${kind}_${checkArena(arena)}`,
    readWork (subject) {
      const [kind, arena, run, ...id] = subject.slice(work.length + 1).split('.')
      return { kind: kind as QueueKind, arena: arena!, run: run!, id: id.join('.') }
    },
    logStream: name => `${upper}_${name.toUpperCase()}`,
    entry: (name, key) => `${log(name)}.${checkKey(key)}`,
    entriesBelow: (name, prefix) => below(log(name), prefix),
    readEntry: (name, subject) => subject.slice(log(name).length + 1),
    readEntriesBelow (name, subject) {
      if (subject === `${log(name)}.>`) return ''
      const prefix = subject.slice(log(name).length + 1, -'.>'.length)
      return isKey.test(prefix) && below(log(name), prefix) === subject ? prefix : null
    },
    bucketStream: name => `KV_${bucket(name)}`,
    values: name => `$KV.${bucket(name)}.>`,
    value: (name, key) => `$KV.${bucket(name)}.${checkKey(key)}`,
    readValue: (name, subject) => subject.slice(`$KV.${bucket(name)}.`.length),
    objects: `${prefix}_objects`,
    objectStream: `OBJ_${prefix}_objects`,
    objectSubjects: [`$O.${prefix}_objects.C.>`, `$O.${prefix}_objects.M.>`],
    objectMeta: name => `$O.${prefix}_objects.M.${padded(Buffer.from(checkKey(name)).toString('base64url'))}`,
    objectChunks: id => `$O.${prefix}_objects.C.${id}`,
    signal: topic => `${signals}.${checkKey(topic)}`,
    signalsBelow: prefix => below(signals, prefix),
    readSignal: subject => subject.slice(signals.length + 1),
    bridge: (service, method, instance = null) => `${prefix}.bridge.${checkToken('a service', service)}.${instance === null ? '' : `${checkToken('an instance', instance)}.`}${checkToken('a method', method)}`,
    inbox: (side, id) => `${prefix}.${side === 'client' ? 'answers' : 'calls'}.${checkToken('an inbox', id)}`
  }
}
