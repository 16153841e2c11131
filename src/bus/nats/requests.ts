// Questions to the server and their answers: one inbox for all of them, and one watch over all their deadlines. The client's
// own requests make an error and a timer ahead for each, which costs more than everything else about them.

import { createInbox, ErrorCode, Events, NatsError, type ApiError, type Msg, type MsgHdrs } from 'nats'
import { watchWhile } from '../../watch-while.ts'
import { deniedBy } from './errors.ts'
import type { Link } from './link.ts'

export interface Requests {
  /** Rejects with the client's error: nobody answers, not in time, not allowed, cut off. */
  ask (subject: string, payload: Uint8Array | string, headers?: MsgHdrs): Promise<Msg>
  /** The same of JetStream, whose answer may be an error. */
  api<Answer> (subject: string, payload: Uint8Array | string, headers?: MsgHdrs): Promise<Answer>
}

interface Open { subject: string; until: number; resolve (message: Msg): void; reject (error: unknown): void }

export function createRequests ({ nc, clock, limits, closed, heard }: Pick<Link, 'nc' | 'clock' | 'limits' | 'closed' | 'heard'>): Requests {
  const open = new Map<string, Open>()
  const inbox = createInbox()
  let asked = 0

  const failAll = (error: NatsError, isMeant: (open: Open) => boolean = () => true): void => {
    for (const [reply, one] of open) {
      if (!isMeant(one)) continue
      open.delete(reply)
      one.reject(error)
    }
  }

  const watch = watchWhile({ clock, stepMs: limits.deadlineStepMs, closed }, {
    isEmpty: () => open.size === 0,
    look: now => failAll(NatsError.errorForCode(now === Infinity ? ErrorCode.ConnectionClosed : ErrorCode.Timeout), ({ until }) => until <= now)
  })

  nc.subscribe(`${inbox}.*`, { callback: (error, message) => {
    if (error !== null) return failAll(error)
    const one = open.get(message.subject)
    if (one === undefined) return
    open.delete(message.subject)
    if (message.data.length === 0 && message.headers?.code === 503) one.reject(NatsError.errorForCode(ErrorCode.NoResponders))
    else one.resolve(message)
  } })

  heard.add(status => {
    // What was asked on a connection that is lost is answered by nobody.
    if (status.type === Events.Disconnect) failAll(NatsError.errorForCode(ErrorCode.Disconnect))
    const denied = deniedBy(status)
    if (denied !== null) failAll(denied.error, ({ subject }) => subject === denied.subject)
  })

  const ask: Requests['ask'] = (subject, payload, headers) => new Promise((resolve, reject) => {
    const reply = `${inbox}.${(++asked).toString(36)}`
    nc.publish(subject, payload, headers === undefined ? { reply } : { reply, headers })
    open.set(reply, { subject, until: clock.now() + limits.answerMsMax, resolve, reject })
    watch()
  })
  return {
    ask,
    async api<Answer> (subject: string, payload: Uint8Array | string, headers?: MsgHdrs) {
      const answer = JSON.parse(Buffer.from((await ask(subject, payload, headers)).data).toString('utf8')) as Answer & { error?: ApiError }
      if (answer.error !== undefined) throw Object.assign(new NatsError(answer.error.description, `${answer.error.code}`), { api_error: answer.error })
      return answer
    }
  }
}
