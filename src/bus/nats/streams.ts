// The streams and buckets of the bus: made where they are missing, opened where they are there. What the first who made them
// decided (how long a taker may be silent, the layout's version) stands in the work stream's description.

import { DiscardPolicy, ErrorCode, nanos, RetentionPolicy, StorageType, type StreamConfig } from 'nats'
import { SparError } from '../../errors.ts'
import type { busLimits } from '../limits.ts'
import type { Names } from '../subjects.ts'
import { buckets, logs, type Bucket } from '../types.ts'
import { apiCode, jetStreamErrors, told, isFull } from './errors.ts'
import type { Link } from './link.ts'

export const busSchema = 1

export interface StreamOptions { ensure: boolean; replicas: number; ackWaitMs: number; nodeTtlMs: number }
type Opening = Omit<Link, 'valueBytesMax'>
type Config = Partial<StreamConfig> & { name: string }

const describe = (ackWaitMs: number): string => `spar bus, schema ${busSchema}, ack wait ${ackWaitMs} ms`

/** Resolves to how long a taker may be silent. */
export async function openStreams (link: Opening, options: StreamOptions): Promise<number> {
  const [work, ...others] = configs(link.names, link.limits, options)
  const ackWaitMs = readDescription(await openStream(link, options.ensure, work!))
  await Promise.all(others.map(config => openStream(link, options.ensure, config)))
  return ackWaitMs
}

/** The work stream first: what stands there decides about the others. */
function configs (names: Names, limits: typeof busLimits, { replicas, ackWaitMs, nodeTtlMs }: StreamOptions): Config[] {
  const shared = { storage: StorageType.File, retention: RetentionPolicy.Limits, discard: DiscardPolicy.New, num_replicas: replicas, max_msg_size: -1 }
  const bucketConfig = (bucket: Bucket): Config => ({
    ...shared, name: names.bucketStream(bucket), subjects: [names.values(bucket)], max_msgs_per_subject: 1, allow_rollup_hdrs: true,
    // In memory, since it is about the present; made again when a server alone comes back without it (connectNats).
    ...bucket === 'nodes' ? { storage: StorageType.Memory, max_age: nanos(nodeTtlMs), max_bytes: limits.nodesBytesMax } : { max_bytes: limits.keyValueBytesMax }
  })
  return [
    { ...shared, name: names.workStream, subjects: [names.workOf(undefined)], retention: RetentionPolicy.Workqueue, max_bytes: limits.queueBytesMax, description: describe(ackWaitMs) },
    ...logs.map(log => ({ ...shared, name: names.logStream(log), subjects: [names.entriesBelow(log, '')], max_bytes: limits.logBytesMax })),
    ...buckets.map(bucketConfig),
    { ...shared, name: names.objectStream, subjects: names.objectSubjects, max_bytes: limits.objectBytesMax, allow_rollup_hdrs: true }
  ]
}

async function openStream (link: Opening, ensure: boolean, config: Config): Promise<string> {
  const { streams } = link.jsm
  const doing = `open the stream ${config.name}`
  return await told(link, doing, async () => {
    try {
      return (await streams.info(config.name)).config.description ?? ''
    } catch (error) {
      if ((error as { code?: string }).code === ErrorCode.NoResponders) throw new SparError('BUS_MISSING', `Cannot ${doing}: the server has no JetStream. Set jetstream in its configuration`, { cause: error })
      if (apiCode(error) !== jetStreamErrors.streamNotFound || !ensure) throw error
    }
    try {
      return (await streams.add(config)).config.description ?? ''
    } catch (error) {
      if (isFull(error)) throw new SparError('BUS_FULL', `Cannot ${doing}: the server has no room to reserve its ${(config.max_bytes! / 2 ** 30).toFixed(2)} GiB. Free some disk, give --nats-store-gib to make smaller streams, or raise max_file_store in the server's configuration (docs/cluster-sizing.md)`, { retryable: true, cause: error })
      if (apiCode(error) !== jetStreamErrors.streamNameInUse && apiCode(error) !== jetStreamErrors.streamSubjectOverlap) throw error
      return await madeByAnother(link, config.name)
    }
  })
}

/** Another node was first; while it is still at it, the server knows the subjects and not yet the stream. */
async function madeByAnother ({ jsm, clock, limits, closed }: Opening, name: string): Promise<string> {
  const until = clock.now() + limits.answerMsMax
  for (;;) {
    try {
      return (await jsm.streams.info(name)).config.description ?? ''
    } catch (error) {
      if (apiCode(error) !== jetStreamErrors.streamNotFound) throw error
      if (clock.now() >= until) throw new SparError('BUS_FOREIGN', `Cannot open the stream ${name}: its subjects belong to another stream. Use another --nats-prefix, or remove that stream`, { cause: error })
    }
    await clock.sleep(limits.madeByAnotherMs, closed)
  }
}

function readDescription (description: string): number {
  const match = /^spar bus, schema (\d+), ack wait (\d+) ms/.exec(description)
  if (match === null) throw new SparError('BUS_FOREIGN', `Cannot use the work stream: it was not made by Spar ("${description}"). Use another --nats-prefix`)
  if (Number(match[1]) > busSchema) throw new SparError('BUS_SCHEMA_NEWER', `Cannot use this bus: it was made by a newer version (schema ${match[1]!}, this one knows ${busSchema}). Update this node`)
  return Number(match[2])
}
