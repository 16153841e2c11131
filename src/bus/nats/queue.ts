// The queue on JetStream: a work-queue stream, and a durable pull consumer for each kind and arena. One request asks for one
// message, so that a node never holds more than it has slots for.

import { AckPolicy, ErrorCode, nanos, type ConsumerInfo, type Msg } from 'nats'
import { onAbort } from '../abort.ts'
import type { Queue, QueueKind, QueueMessage } from '../types.ts'
import { apiCode, jetStreamErrors, told } from './errors.ts'
import { publishFirst, type Link } from './link.ts'

/** An answer that is no message: nothing came (404, 408), or the consumer is not what it was (409). */
const statusOf = (message: Msg): number => message.data.length === 0 && message.headers !== undefined ? message.headers.code : 0

export function createQueue (link: Link, ackWaitMs: number): Queue {
  const { nc, jsm, names, limits, clock } = link
  const consumers = new Map<string, Promise<ConsumerInfo>>()

  const ensure = async (kind: QueueKind, arena: string): Promise<string> => {
    const name = names.consumer(kind, arena)
    let made = consumers.get(name)
    if (made === undefined) {
      made = told(link, `wait for ${kind} of ${arena}`, () => makeConsumer(link, kind, arena, ackWaitMs))
      consumers.set(name, made)
      made.catch(() => consumers.delete(name))
    }
    await made
    return name
  }

  async function ask (kind: QueueKind, arena: string, waitMs: number, isAgain = false): Promise<Msg | null> {
    const name = await ensure(kind, arena)
    const wait = waitMs === 0 ? { no_wait: true } : { expires: nanos(waitMs) }
    const answer = await told(link, `wait for ${kind} of ${arena}`, async () => {
      try {
        return await nc.request(`$JS.API.CONSUMER.MSG.NEXT.${names.workStream}.${name}`, JSON.stringify({ batch: 1, ...wait }), { timeout: waitMs + limits.pullMarginMs, noMux: true })
      } catch (error) {
        // A server that restarts takes waiting requests along.
        if ((error as { code?: string }).code === ErrorCode.Timeout) return null
        consumers.delete(name)
        if ((error as { code?: string }).code === ErrorCode.NoResponders && !isAgain) return 'nobody'
        throw error
      }
    })
    if (answer === 'nobody') {
      // Somebody else is just making the consumer, or it is gone and has to be made again.
      await clock.sleep(limits.reconnectMs, link.closed)
      return await ask(kind, arena, waitMs, true)
    }
    const status = answer === null ? 0 : statusOf(answer)
    if (status === 0) return answer
    if (status !== 404 && status !== 408) consumers.delete(name)
    return null
  }

  return {
    ackWaitMs,
    add: async (subject, bytes) => await publishFirst(link, names.work(subject), bytes) ? 'added' : 'present',
    async pull (kind, arena, { waitMs, signal }) {
      names.place(kind, arena)
      if (signal.aborted || link.closed.aborted) return null
      const asked = ask(kind, arena, waitMs)
      const given = givenUp(link, signal)
      try {
        const message = await Promise.race([asked, given.up])
        if (message !== 'given up') return message === null ? null : messageOf(link, message, ackWaitMs)
        asked.then(late => { if (late !== null) messageOf(link, late, ackWaitMs).again(0) }, () => {})
        return null
      } finally {
        given.leave()
      }
    },
    async depth (kind, arena) {
      const name = await ensure(kind, arena)
      const { num_pending: waiting, num_ack_pending: taken } = await told(link, `count ${kind} of ${arena}`, () => jsm.consumers.info(names.workStream, name))
      return { waiting, taken }
    },
    async subjects (run) {
      const { state } = await told(link, 'list the queue', () => jsm.streams.info(names.workStream, { subjects_filter: names.workOf(run) }))
      return Object.keys(state.subjects ?? {}).map(names.readWork)
    },
    async purge (run) { await told(link, `empty the queue of ${run}`, () => jsm.streams.purge(names.workStream, { filter: names.workOf(run) })) }
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
 * before, too, and takes it from its present holder by them: whose time is up says nothing any more.
 */
function messageOf (link: Link, { subject, data, reply }: Msg, ackWaitMs: number): QueueMessage {
  const { nc, names, limits, clock } = link
  let heldUntil = clock.now() + ackWaitMs
  const isHeld = (): boolean => clock.now() < heldUntil && link.isUp()
  return {
    subject: names.readWork(subject),
    bytes: data,
    delivery: deliveryOf(reply!),
    async ack () { await told(link, `acknowledge ${subject}`, () => nc.request(reply!, '+ACK', { timeout: limits.answerMsMax })) },
    working () {
      if (!isHeld()) return
      heldUntil = clock.now() + ackWaitMs
      nc.publish(reply!, '+WPI')
    },
    again: delayMs => { if (isHeld()) nc.publish(reply!, delayMs === 0 ? '-NAK' : `-NAK {"delay":${nanos(delayMs)}}`) }
  }
}

/** `$JS.ACK.<stream>.<consumer>.<delivery>.…`, newer servers with domain and account before the stream. */
function deliveryOf (reply: string): number {
  const tokens = reply.split('.')
  return Number(tokens[tokens.length > 9 ? 6 : 4])
}

/** Nobody waits any more; or the connection was lost and is there again, and the server knows nothing of the request. */
function givenUp ({ closed, reconnected }: Link, signal: AbortSignal): { up: Promise<'given up'>; leave: () => void } {
  let giveUp!: () => void
  const up = new Promise<'given up'>(resolve => { giveUp = () => resolve('given up') })
  const leave = onAbort([signal, closed], giveUp)
  reconnected.add(giveUp)
  return { up, leave () { leave(); reconnected.delete(giveUp) } }
}
