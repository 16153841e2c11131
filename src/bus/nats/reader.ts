// Reads a stream in order, each message once, for as long as it takes. An ephemeral pull consumer gives what is there and what
// comes; when the connection was lost, the consumer is gone, or falls silent, another one goes on where this one ended.

import { AckPolicy, createInbox, DeliverPolicy, nanos, nuid, type ConsumerConfig, type Msg, type MsgHdrs } from 'nats'
import { SparError } from '../../errors.ts'
import { linked } from '../abort.ts'
import { Channel } from '../channel.ts'
import { busError, told } from './errors.ts'
import type { Link } from './link.ts'

export interface StreamMessage { subject: string; bytes: Uint8Array; headers: MsgHdrs | undefined; sequence: number }

export interface Reading {
  stream: string
  filter: string
  /** The last message of each subject, and then what comes; else all of them. */
  latest: boolean
  /** Whether it goes on by itself when the bus was away; else it fails. */
  isPatient: boolean
  signal: AbortSignal
  /** Messages up to this sequence are left out. */
  after?: number
}

/** Where the reading stands, whichever consumer brought it there. */
interface Place { last: number; isCaughtUp: boolean; /** By subject, when only the latest is read. */ seen: Map<string, string> }

/** `null` once, when everything that was there has been given. */
export function readStream (link: Link, reading: Reading): AsyncGenerator<StreamMessage | null> {
  let session: Session | null = null
  const over = new AbortController()
  const channel = new Channel<StreamMessage | null>({ signals: [reading.signal, link.closed], onEnd: () => over.abort(), onTaken: () => session?.ask() })
  if (channel.isOver) return channel.read()
  const place: Place = { last: reading.after ?? 0, isCaughtUp: false, seen: new Map() }
  void (async () => {
    while (!over.signal.aborted) {
      try {
        session = new Session(link, reading, channel, place)
        await session.run(over.signal)
        if (!reading.isPatient) throw new SparError('BUS_UNAVAILABLE', `Cannot read ${reading.filter}: the consumer ended`, { retryable: true })
      } catch (error) {
        const told = busError(error, `read ${reading.filter}`)
        if (!reading.isPatient || !told.retryable) throw told
      }
      await link.clock.sleep(link.limits.reconnectMs, over.signal).catch(() => {})
    }
  })().catch((error: unknown) => channel.fail(error))
  return channel.read()
}

/** One consumer, until it ends. */
class Session {
  readonly #name = nuid.next()
  readonly #inbox: string
  #isOpen = false
  /** Messages that the request in progress may still bring; 0: there is none. */
  #asked = 0
  #received = 0
  #request = 0
  #delivered = 0
  #isHeard = true
  #end: (error?: unknown) => void = () => {}
  readonly #link: Link
  readonly #reading: Reading
  readonly #channel: Channel<StreamMessage | null>
  readonly #place: Place

  constructor (link: Link, reading: Reading, channel: Channel<StreamMessage | null>, place: Place) {
    this.#link = link
    this.#reading = reading
    this.#channel = channel
    this.#place = place
    this.#inbox = createInbox()
  }

  /** Resolves when another consumer has to go on, or the signal aborted. */
  async run (signal: AbortSignal): Promise<void> {
    const { nc, jsm, reconnected } = this.#link
    const { stream, filter } = this.#reading
    const ended = new Promise<void>((resolve, reject) => { this.#end = error => error === undefined ? resolve() : reject(error) })
    ended.catch(() => {})
    const anew = (): void => this.#end()
    const { controller: over, leave } = linked([signal])
    reconnected.add(anew)
    const subscription = nc.subscribe(`${this.#inbox}.*`, { callback: (error, message) => { if (error === null) this.#hear(message); else this.#end(error) } })
    signal.addEventListener('abort', anew)
    try {
      const { num_pending: pending } = await told(this.#link, `read ${filter}`, () => jsm.consumers.add(stream, this.#config()))
      if (signal.aborted) return
      this.#isOpen = true
      if (pending === 0) this.#catchUp()
      this.ask()
      void this.#watch(over.signal)
      await ended
    } finally {
      this.#isOpen = false
      over.abort()
      leave()
      signal.removeEventListener('abort', anew)
      reconnected.delete(anew)
      subscription.unsubscribe()
      // Where this does not get through, the server forgets the consumer by itself.
      if (this.#link.isUp()) jsm.consumers.delete(stream, this.#name).catch(() => {})
    }
  }

  /** Asks for more, where the last request is answered and the reader has room. */
  ask (): void {
    const { nc, limits } = this.#link
    if (!this.#isOpen || this.#asked > 0 || this.#channel.length > limits.readBatch / 2 || nc.isClosed()) return
    this.#asked = limits.readBatch
    this.#received = 0
    const bytes = Math.max(limits.readBatchBytes, 2 * nc.info!.max_payload)
    const request = { batch: this.#asked, max_bytes: bytes, expires: nanos(limits.readWaitMs), idle_heartbeat: nanos(limits.heartbeatMs) }
    nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${this.#reading.stream}.${this.#name}`, JSON.stringify(request), { reply: `${this.#inbox}.${++this.#request}` })
  }

  #config (): Partial<ConsumerConfig> {
    const { last } = this.#place
    const { latest, filter } = this.#reading
    const from = latest ? { deliver_policy: DeliverPolicy.LastPerSubject } : last === 0 ? { deliver_policy: DeliverPolicy.All } : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: last + 1 }
    return { ...from, name: this.#name, filter_subject: filter, ack_policy: AckPolicy.None, max_deliver: 1, mem_storage: true, num_replicas: 1, inactive_threshold: nanos(this.#link.limits.readerIdleMs) }
  }

  /** Ends the session when nothing was heard for a while: not even that there is nothing. */
  async #watch (signal: AbortSignal): Promise<void> {
    const { clock, limits } = this.#link
    while (!signal.aborted) {
      this.#isHeard = false
      await clock.sleep(3 * limits.heartbeatMs, signal).catch(() => {})
      if (!this.#isHeard && this.#asked > 0) this.#end()
    }
  }

  #hear (message: Msg): void {
    this.#isHeard = true
    if (message.subject.startsWith(this.#inbox)) this.#hearStatus(message)
    else this.#take(message)
  }

  /** 100: nothing yet. 404, 408: this request is over. 409: it is over, or the consumer is. Else: the consumer is. */
  #hearStatus (message: Msg): void {
    const code = message.headers?.code ?? 0
    if (code === 100) return this.#catchUp()
    if (message.subject !== `${this.#inbox}.${this.#request}`) return
    if (code !== 404 && code !== 408 && !(code === 409 && this.#received > 0)) return this.#end()
    if (code !== 409) this.#catchUp()
    this.#asked = 0
    this.ask()
  }

  #take (message: Msg): void {
    const info = readReply(message.reply ?? '')
    if (info.delivered !== this.#delivered + 1) return this.#end()
    this.#delivered = info.delivered
    this.#asked--
    this.#received++
    if (!this.#isKnown(message.subject, info)) this.#channel.push({ subject: message.subject, bytes: message.data, headers: message.headers, sequence: info.sequence })
    this.#place.last = info.sequence
    if (info.pending === 0) this.#catchUp()
    this.ask()
  }

  /** Another consumer gives the latest of each subject anew; the store may be a new one too, after the server was. */
  #isKnown (subject: string, { sequence, at }: Reply): boolean {
    const { seen } = this.#place
    if (!this.#reading.latest) return false
    const mark = `${sequence} ${at}`
    if (seen.get(subject) === mark) return true
    seen.set(subject, mark)
    return false
  }

  #catchUp (): void {
    if (this.#place.isCaughtUp) return
    this.#place.isCaughtUp = true
    this.#channel.push(null)
  }
}

interface Reply { sequence: number; delivered: number; at: string; pending: number }

/** `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<delivered>.<time>.<pending>`, newer servers with domain and account before the stream. */
function readReply (reply: string): Reply {
  const tokens = reply.split('.')
  const [sequence, delivered, at, pending] = tokens.slice(tokens.length > 9 ? 7 : 5)
  return { sequence: Number(sequence), delivered: Number(delivered), at: at!, pending: Number(pending) }
}
