// The queue on JetStream: a work-queue stream, and a durable pull consumer for each kind and arena. One request asks for one
// message, so that a node never holds more than it has slots for.

import { AckPolicy, ErrorCode, nanos, type ConsumerInfo, type Msg } from 'nats'
import { orAborted } from '../abort.ts'
import type { Queue, QueueKind, QueueMessage } from '../types.ts'
import { apiCode, jetStreamErrors, told } from './errors.ts'
import { publishFirst, type Link } from './link.ts'
import { Pulls } from './pulls.ts'

interface Place { pulls: Pulls; /** Of its consumer, which may have to be made again. */ made: Promise<ConsumerInfo> | null }

export function createQueue (link: Link, ackWaitMs: number): Queue {
  const { jsm, names, limits, clock } = link
  const places = new Map<string, Place>()

  async function ensure (kind: QueueKind, arena: string): Promise<Place> {
    const name = names.consumer(kind, arena)
    const place = places.get(name) ?? { pulls: new Pulls(link, name, message => messageOf(link, message, ackWaitMs).again(0)), made: null }
    places.set(name, place)
    place.made ??= told(link, `wait for ${kind} of ${arena}`, () => makeConsumer(link, kind, arena, ackWaitMs))
    await place.made.catch((error: unknown) => { place.made = null; throw error })
    return place
  }

  async function take (kind: QueueKind, arena: string, waitMs: number, signal: AbortSignal, isAgain = false): Promise<Msg | null> {
    const place = await ensure(kind, arena)
    const pulled = await told(link, `wait for ${kind} of ${arena}`, async () => {
      try {
        return await place.pulls.take(waitMs, signal)
      } catch (error) {
        place.made = null
        if ((error as { code?: string }).code === ErrorCode.NoResponders && !isAgain) return 'nobody'
        throw error
      }
    })
    if (pulled === 'nobody') {
      // Somebody else is just making the consumer, or it is gone and has to be made again.
      await clock.sleep(limits.reconnectMs, link.closed)
      return await take(kind, arena, waitMs, signal, true)
    }
    if (pulled === 'gone') place.made = null
    return pulled === 'gone' || pulled === 'nothing' ? null : pulled
  }

  return {
    ackWaitMs,
    add: async (subject, bytes) => await publishFirst(link, names.work(subject), bytes) ? 'added' : 'present',
    async pull (kind, arena, { waitMs, signal }) {
      names.place(kind, arena)
      if (signal.aborted || link.closed.aborted) return null
      const taking = take(kind, arena, waitMs, signal)
      const message = await orAborted(taking, [signal, link.closed])
      if (message !== null) return messageOf(link, message, ackWaitMs)
      // It may have come in the moment in which the signal aborted.
      taking.then(late => { if (late !== null) messageOf(link, late, ackWaitMs).again(0) }, () => {})
      return null
    },
    async depth (kind, arena) {
      await ensure(kind, arena)
      const { num_pending: waiting, num_ack_pending: taken } = await told(link, `count ${kind} of ${arena}`, () => jsm.consumers.info(names.workStream, names.consumer(kind, arena)))
      return { waiting, taken }
    },
    async subjects (run) {
      const { state } = await told(link, 'list the queue', () => jsm.streams.info(names.workStream, { subjects_filter: names.workOf(run) }))
      return Object.keys(state.subjects ?? {}).map(names.readWork)
    },
    async purge (run, kinds) {
      await Promise.all(kinds.map(kind => told(link, `empty the queue of ${run}`, () => jsm.streams.purge(names.workStream, { filter: names.workOf(run, kind) }))))
    }
  }
}

async function makeConsumer ({ jsm, names, limits }: Link, kind: QueueKind, arena: string, ackWaitMs: number): Promise<ConsumerInfo> {
  const name = names.consumer(kind, arena)
  try {
    return await jsm.consumers.info(names.workStream, name)
  } catch (error) {
    if (apiCode(error) !== jetStreamErrors.consumerNotFound) throw error
  }
  return await jsm.consumers.add(names.workStream, {
    durable_name: name, filter_subject: names.place(kind, arena), ack_policy: AckPolicy.Explicit, ack_wait: nanos(ackWaitMs), max_deliver: -1, max_ack_pending: limits.takenMax, max_waiting: limits.pullsMax
  })
}

/**
 * Answers go to the message's reply subject (`+ACK`, `+WPI`, `-NAK`). The server takes the last two from whoever held the message
 * before, too, and takes it from its present holder by them: whose time is up says nothing any more. The server's time began when
 * it sent the message, which may have been on its way for a while: a quarter of the time is left for that.
 */
function messageOf (link: Link, { subject, data, reply }: Msg, ackWaitMs: number): QueueMessage {
  const { nc, requests, names, clock } = link
  const heldMs = ackWaitMs * 3 / 4
  let heldUntil = clock.now() + heldMs
  const isHeld = (): boolean => clock.now() < heldUntil && link.isUp()
  return {
    subject: names.readWork(subject),
    // As long as the work takes, and not what came with it on the wire.
    bytes: new Uint8Array(data),
    delivery: deliveryOf(reply!),
    async ack () { await told(link, `acknowledge ${subject}`, () => requests.ask(reply!, '+ACK')) },
    working () {
      if (!isHeld()) return
      heldUntil = clock.now() + heldMs
      nc.publish(reply!, '+WPI')
    },
    again (delayMs) {
      if (isHeld()) nc.publish(reply!, delayMs === 0 ? '-NAK' : `-NAK {"delay":${nanos(delayMs)}}`)
      // What is said after it would be about what somebody else has.
      heldUntil = 0
    }
  }
}

/** `$JS.ACK.<stream>.<consumer>.<delivery>.…`, newer servers with domain and account before the stream. */
function deliveryOf (reply: string): number {
  const tokens = reply.split('.')
  return Number(tokens[tokens.length > 9 ? 6 : 4])
}
