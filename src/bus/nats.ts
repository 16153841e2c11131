// The bus on NATS JetStream. It connects again by itself for as long as it takes; what is called meanwhile is told
// BUS_UNAVAILABLE, and may be tried again.

import { readFileSync } from 'node:fs'
import { credsAuthenticator, ErrorCode, Events, nkeyAuthenticator, nkeys, type ConnectionOptions, type NatsConnection } from 'nats'
import { createNatsWire } from '../bridge/wire-nats.ts'
import { SparError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { busLimits } from './limits.ts'
import { busError } from './nats/errors.ts'
import { createKeyValue } from './nats/key-value.ts'
import { connectWithLane, type Lane } from './nats/lane/connect.ts'
import type { Link } from './nats/link.ts'
import { createLog } from './nats/log.ts'
import { createObjects } from './nats/objects.ts'
import { createQueue } from './nats/queue.ts'
import { createRequests } from './nats/requests.ts'
import { createSignals } from './nats/signals.ts'
import { openStreams, type StreamOptions } from './nats/streams.ts'
import { createNames } from './subjects.ts'
import { buckets, logs, type Bucket, type Bus, type LogName, type Log, type KeyValue } from './types.ts'

export interface NatsOptions {
  servers: string[]
  /** Shown by the server. */
  name: string
  prefix?: string
  /** Makes streams and buckets that are missing; needs a credential that may. */
  ensure?: boolean
  replicas?: number
  ackWaitMs?: number
  nodeTtlMs?: number
  clock: Clock
  limits?: Partial<typeof busLimits>
  /** Files. */
  credentials?: string
  nkey?: string
  user?: string
  password?: string
  token?: string
  tls?: { ca?: string; cert?: string; key?: string }
  /** Told about every change of the connection. */
  onStatus?: (status: 'connected' | 'disconnected', detail: string) => void
}

/** Rejects with BUS_UNAVAILABLE, BUS_DENIED, BUS_MISSING, BUS_FOREIGN or BUS_SCHEMA_NEWER. */
export async function connectNats (options: NatsOptions): Promise<Bus> {
  const limits = { ...busLimits, ...options.limits }
  const names = createNames(options.prefix ?? 'spar')
  const { nc, lane } = await open(options, limits)
  const closing = new AbortController()
  try {
    const connection = watchConnection(nc, options.onStatus ?? (() => {}))
    const { reconnected, heard } = connection
    const shared = { nc, lane, clock: options.clock, limits, closed: closing.signal, reconnected, heard }
    const jsm = await nc.jetstreamManager({ timeout: limits.answerMsMax, checkAPI: false })
    const bare = { ...shared, requests: createRequests(shared), jsm, names, isUp: () => connection.isUp && !nc.isClosed() }
    const { ensure = true, replicas = 1, ackWaitMs = limits.ackWaitMs, nodeTtlMs = limits.nodeTtlMs } = options
    const wanted = { ensure, replicas, ackWaitMs, nodeTtlMs }
    const agreedWaitMs = await openStreams(bare, wanted)
    if (ensure) reconnected.add(() => { reopenStreams(bare, wanted).catch(() => {}) })
    const link: Link = { ...bare, valueBytesMax: nc.info!.max_payload - limits.overheadBytes }
    return {
      kind: 'nats',
      valueBytesMax: link.valueBytesMax,
      queue: createQueue(link, agreedWaitMs),
      log: Object.fromEntries(logs.map(name => [name, createLog(link, name)])) as Record<LogName, Log>,
      kv: Object.fromEntries(buckets.map(name => [name, createKeyValue(link, name)])) as Record<Bucket, KeyValue>,
      objects: createObjects(link),
      ...createSignals(link),
      wire: createNatsWire(link),
      get isConnected () { return link.isUp() },
      async close () {
        closing.abort()
        if (!nc.isClosed()) await nc.close()
      }
    }
  } catch (error) {
    closing.abort()
    await nc.close()
    throw error
  }
}

/** A server alone forgets what it held in memory when it restarts: the bucket of who is there is made again. */
async function reopenStreams (link: Omit<Link, 'valueBytesMax'>, options: StreamOptions): Promise<void> {
  const { closed, clock, limits } = link
  while (!closed.aborted) {
    const isDone = await openStreams(link, options).then(() => true, (error: unknown) => !(error instanceof SparError && error.retryable))
    if (isDone) return
    await clock.sleep(limits.reconnectMs, closed)
  }
}

async function open ({ servers, name, credentials, nkey, user, password, token, tls }: NatsOptions, limits: typeof busLimits): Promise<{ nc: NatsConnection; lane: Lane }> {
  const read = (what: string, path: string): Uint8Array => {
    try {
      return readFileSync(path)
    } catch (error) {
      throw new SparError('BUS_CREDENTIAL_NOT_READ', `Cannot read the ${what} ${path}: ${(error as Error).message}`)
    }
  }
  const options: ConnectionOptions = {
    servers, name, timeout: limits.connectMsMax, maxReconnectAttempts: -1, reconnectTimeWait: limits.reconnectMs, pingInterval: 10_000, maxPingOut: 2, noAsyncTraces: true, ignoreClusterUpdates: false,
    ...(credentials === undefined ? {} : { authenticator: credsAuthenticator(read('credentials file', credentials)) }),
    ...(nkey === undefined ? {} : { authenticator: nkeyAuthenticator(seedOf(nkey, read('nkey seed', nkey))) }),
    ...(user === undefined ? {} : { user, pass: password ?? '' }),
    ...(token === undefined ? {} : { token }),
    ...(tls === undefined ? {} : { tls: {
      ...(tls.ca === undefined ? {} : { ca: Buffer.from(read('certificate of the authority', tls.ca)).toString('utf8') }),
      ...(tls.cert === undefined ? {} : { cert: Buffer.from(read('certificate', tls.cert)).toString('utf8') }),
      ...(tls.key === undefined ? {} : { key: Buffer.from(read('key', tls.key)).toString('utf8') })
    } })
  }
  try {
    return await connectWithLane(options)
  } catch (error) {
    // Who shows no certificate where one is wanted is left without an answer.
    const hint = (error as { code?: string }).code === ErrorCode.Timeout && tls?.cert === undefined ? ' (if the server wants certificates of its clients: give --nats-cert and --nats-key)' : ''
    throw busError(error, `connect to ${servers.join(', ')}${hint}`)
  }
}

function seedOf (path: string, bytes: Uint8Array): Uint8Array {
  const seed = Buffer.from(Buffer.from(bytes).toString('utf8').trim())
  try {
    nkeys.fromSeed(seed)
    return seed
  } catch {
    throw new SparError('BUS_CREDENTIAL_NOT_READ', `Cannot use ${path} as an nkey: it does not hold a seed (one line that starts with "SU")`)
  }
}

interface Connection extends Pick<Link, 'reconnected' | 'heard'> { isUp: boolean }

function watchConnection (nc: NatsConnection, onStatus: (status: 'connected' | 'disconnected', detail: string) => void): Connection {
  const connection: Connection = { isUp: true, reconnected: new Set(), heard: new Set() }
  void (async () => {
    for await (const status of nc.status()) {
      const { type, data } = status
      if (type === Events.Disconnect) { connection.isUp = false; onStatus('disconnected', String(data)) }
      for (const call of [...connection.heard]) call(status)
      if (type === Events.Reconnect) {
        connection.isUp = true
        onStatus('connected', String(data))
        for (const call of [...connection.reconnected]) call()
      }
    }
    connection.isUp = false
  })()
  return connection
}
