// Questions to the server and their answers: one inbox for all of them, and one watch over all their deadlines. The client's
// own requests make an error and a timer ahead for each, which costs more than everything else about them.

import { createInbox, ErrorCode, Events, NatsError, type ApiError, type Msg, type MsgHdrs, type NatsConnection, type Status } from 'nats'
import type { Clock } from '../../ports.ts'
import type { busLimits } from '../limits.ts'
import { watchDeadlines } from './deadlines.ts'

export interface AskOptions { headers?: MsgHdrs; timeoutMs?: number }

export interface Requests {
  /** Rejects with the client's error: nobody answers, not in time, not allowed, cut off. */
  ask (subject: string, payload: Uint8Array | string, options?: AskOptions): Promise<Msg>
  /** The same of JetStream, whose answer may be an error. */
  api<Answer> (subject: string, payload: Uint8Array | string, options?: AskOptions): Promise<Answer>
  /** Told about every change of the connection: what was asked on one that is lost is answered by nobody. */
  hear (status: Status): void
}

interface Open { subject: string; until: number; resolve (message: Msg): void; reject (error: unknown): void }

const deniedOn = ({ type, permissionContext }: Status): string | null =>
  type === Events.Error && permissionContext?.operation === 'publish' ? permissionContext.subject : null

export function createRequests (nc: NatsConnection, clock: Clock, limits: typeof busLimits, closed: AbortSignal): Requests {
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

  const watch = watchDeadlines({ clock, limits, closed }, {
    isEmpty: () => open.size === 0,
    expire: now => failAll(NatsError.errorForCode(now === Infinity ? ErrorCode.ConnectionClosed : ErrorCode.Timeout), ({ until }) => until <= now)
  })

  nc.subscribe(`${inbox}.*`, { callback: (error, message) => {
    if (error !== null) return failAll(error)
    const one = open.get(message.subject)
    if (one === undefined) return
    open.delete(message.subject)
    if (message.data.length === 0 && message.headers?.code === 503) one.reject(NatsError.errorForCode(ErrorCode.NoResponders))
    else one.resolve(message)
  } })

  const ask: Requests['ask'] = (subject, payload, { headers, timeoutMs = limits.answerMsMax } = {}) => new Promise((resolve, reject) => {
    const reply = `${inbox}.${(++asked).toString(36)}`
    nc.publish(subject, payload, headers === undefined ? { reply } : { reply, headers })
    open.set(reply, { subject, until: clock.now() + timeoutMs, resolve, reject })
    watch()
  })
  return {
    ask,
    async api<Answer> (subject: string, payload: Uint8Array | string, options?: AskOptions) {
      const answer = JSON.parse(Buffer.from((await ask(subject, payload, options)).data).toString('utf8')) as Answer & { error?: ApiError }
      if (answer.error !== undefined) throw Object.assign(new NatsError(answer.error.description, `${answer.error.code}`), { api_error: answer.error })
      return answer
    },
    hear (status) {
      if (status.type === Events.Disconnect) failAll(NatsError.errorForCode(ErrorCode.Disconnect))
      const denied = deniedOn(status)
      if (denied !== null) failAll(new NatsError(`it may not publish to ${denied}`, ErrorCode.PermissionsViolation), ({ subject }) => subject === denied)
    }
  }
}
