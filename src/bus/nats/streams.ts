// The streams and buckets of the bus: made where they are missing, opened where they are there. What the first who made them
// decided (how long a taker may be silent, the layout's version) stands in the work stream's description.

import { DiscardPolicy, RetentionPolicy, StorageType, type JetStreamManager, type KV, type ObjectStore, type StreamConfig } from 'nats'
import { SparError } from '../../errors.ts'
import { buckets, logs, type Bucket } from '../types.ts'
import { apiCode, jetStreamErrors, told } from './errors.ts'
import type { Link } from './link.ts'

export const busSchema = 1

export interface StreamOptions { ensure: boolean; replicas: number; ackWaitMs: number; nodeTtlMs: number }
export interface Streams { ackWaitMs: number; kv: Record<Bucket, KV>; objects: ObjectStore }

const describe = (ackWaitMs: number): string => `spar bus, schema ${busSchema}, ack wait ${ackWaitMs} ms`

export async function openStreams (link: Omit<Link, 'valueBytesMax'>, options: StreamOptions): Promise<Streams> {
  const { jsm, js, names, limits } = link
  const { replicas, ensure, nodeTtlMs } = options
  const shared = { storage: StorageType.File, discard: DiscardPolicy.New, num_replicas: replicas, max_msg_size: -1 }
  const description = await openStream(jsm, ensure, { ...shared, name: names.workStream, subjects: [names.workOf(undefined)], retention: RetentionPolicy.Workqueue, max_bytes: limits.queueBytesMax, description: describe(options.ackWaitMs) })
  for (const log of logs) await openStream(jsm, ensure, { ...shared, name: names.logStream(log), subjects: [names.entriesBelow(log, '')], retention: RetentionPolicy.Limits, max_bytes: limits.logBytesMax, allow_direct: true })
  const opened = await Promise.all(buckets.map(async bucket => [bucket, await told(`open the bucket ${names.bucket(bucket)}`, () => js.views.kv(names.bucket(bucket), {
    history: 1, replicas, ...(ensure ? {} : { bindOnly: true }), ...(bucket === 'nodes' ? { ttl: nodeTtlMs, storage: StorageType.Memory, max_bytes: limits.nodesBytesMax } : { storage: StorageType.File, max_bytes: limits.keyValueBytesMax })
  }))] as const))
  // The client's own making of it sends a field that newer servers refuse.
  await openStream(jsm, ensure, { ...shared, name: names.objectStream, subjects: names.objectSubjects, retention: RetentionPolicy.Limits, max_bytes: limits.objectBytesMax, allow_rollup_hdrs: true, allow_direct: true })
  const objects = await told(`open the objects ${names.objects}`, () => js.views.os(names.objects))
  return { ackWaitMs: readDescription(description), kv: Object.fromEntries(opened) as Record<Bucket, KV>, objects }
}

async function openStream (jsm: JetStreamManager, ensure: boolean, config: Partial<StreamConfig> & { name: string }): Promise<string> {
  return await told(`open the stream ${config.name}`, async () => {
    try {
      return (await jsm.streams.info(config.name)).config.description ?? ''
    } catch (error) {
      if (apiCode(error) !== jetStreamErrors.streamNotFound || !ensure) throw error
    }
    try {
      return (await jsm.streams.add(config)).config.description ?? ''
    } catch (error) {
      // Another node was first.
      if (apiCode(error) !== jetStreamErrors.streamNameInUse) throw error
      return (await jsm.streams.info(config.name)).config.description ?? ''
    }
  })
}

function readDescription (description: string): number {
  const match = /schema (\d+), ack wait (\d+) ms/.exec(description)
  if (match === null) throw new SparError('BUS_FOREIGN', `Cannot use the work stream: it was not made by Spar ("${description}"). Use another --nats-prefix`)
  if (Number(match[1]) > busSchema) throw new SparError('BUS_SCHEMA_NEWER', `Cannot use this bus: it was made by a newer version (schema ${match[1]!}, this one knows ${busSchema}). Update this node`)
  return Number(match[2])
}
