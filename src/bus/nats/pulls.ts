// Who waits for work at one place. Each asks for one message; all are answered in one inbox. A message does not say whose
// request it answers, so it goes to whoever has waited longest.
//
// P1. Every request ends in one message or one status, and each of them ends one wait, at most.
// P2. A message that nobody waits for any more is handed back.

import { createInbox, ErrorCode, nanos, NatsError, type Msg, type Status, type Subscription } from 'nats'
import { watchWhile } from '../../watch-while.ts'
import { onAbort } from '../abort.ts'
import { deniedBy } from './errors.ts'
import type { Link } from './link.ts'

/** `nothing`: not in time, or nobody wants it any more. `gone`: the consumer is not what it was, and has to be made again. */
export type Pulled = Msg | 'nothing' | 'gone'

/** `settle` is null once nobody waits any more; its request may still be answered. */
interface Request { until: number; settle: ((pulled: Pulled) => void) | null; fail (error: unknown): void }

export class Pulls {
  readonly #link: Link
  readonly #subject: string
  readonly #handBack: (message: Msg) => void
  readonly #inbox = createInbox()
  readonly #requests = new Map<number, Request>()
  readonly #watch: () => void
  #asked = 0
  #subscription: Subscription | null = null

  constructor (link: Link, consumer: string, handBack: (message: Msg) => void) {
    this.#link = link
    this.#subject = `$JS.API.CONSUMER.MSG.NEXT.${link.names.workStream}.${consumer}`
    this.#handBack = handBack
    this.#watch = watchWhile({ clock: link.clock, stepMs: link.limits.deadlineStepMs, closed: link.closed }, { isEmpty: () => this.#requests.size === 0, look: now => this.#expire(now), onEmpty: () => this.#close() })
  }

  /** `waitMs` 0: what is there now. Rejects where nobody answers. */
  async take (waitMs: number, signal: AbortSignal): Promise<Pulled> {
    const { nc, clock, limits } = this.#link
    if (signal.aborted) return 'nothing'
    this.#open()
    return await new Promise((resolve, reject) => {
      const number = ++this.#asked
      const end = (): void => {
        request.settle = null
        leave()
      }
      const request: Request = {
        until: clock.now() + waitMs + limits.pullMarginMs,
        settle: pulled => { end(); resolve(pulled) },
        fail: error => { end(); reject(error) }
      }
      let leave = (): void => {}
      this.#requests.set(number, request)
      nc.publish(this.#subject, JSON.stringify({ batch: 1, ...waitMs === 0 ? { no_wait: true } : { expires: nanos(waitMs) } }), { reply: `${this.#inbox}.${number}` })
      this.#watch()
      leave = onAbort([signal], () => request.settle?.('nothing'))
    })
  }

  #open (): void {
    if (this.#subscription !== null) return
    this.#subscription = this.#link.nc.subscribe(`${this.#inbox}.*`, { callback: (error, message) => {
      if (error !== null) this.#endAll(request => request.fail(error))
      else if (message.subject.startsWith(this.#inbox)) this.#hearStatus(Number(message.subject.slice(this.#inbox.length + 1)), message.headers?.code ?? 0)
      else this.#give(message)
    } })
    this.#link.reconnected.add(this.#forget)
    this.#link.heard.add(this.#hear)
  }

  #close (): void {
    this.#subscription?.unsubscribe()
    this.#subscription = null
    this.#link.reconnected.delete(this.#forget)
    this.#link.heard.delete(this.#hear)
  }

  /** A server that is there again knows nothing of what was asked before. */
  readonly #forget = (): void => this.#endAll(({ settle }) => settle?.('nothing'))

  readonly #hear = (status: Status): void => {
    const denied = deniedBy(status)
    if (denied?.subject === this.#subject) this.#endAll(request => request.fail(denied.error))
  }

  #endAll (end: (request: Request) => void): void {
    const all = [...this.#requests.values()]
    this.#requests.clear()
    for (const request of all) end(request)
  }

  #expire (now: number): void {
    for (const [number, { until, settle }] of this.#requests) {
      if (until > now) continue
      this.#requests.delete(number)
      settle?.('nothing')
    }
  }

  /** The longest that waits. */
  #first (): Request | null {
    for (const [number, request] of this.#requests) {
      if (request.settle === null) continue
      this.#requests.delete(number)
      return request
    }
    return null
  }

  #give (message: Msg): void {
    const request = this.#first()
    if (request === null) this.#handBack(message)
    else request.settle!(message)
  }

  /** 404 and 408: nothing came. 503: nobody knows the consumer. Else (409): it is not what it was. */
  #hearStatus (number: number, code: number): void {
    // Whose request this was may have been given the message of another's (P1).
    const request = this.#requests.get(number) ?? this.#first()
    this.#requests.delete(number)
    if (request === null) return
    if (code === 503) request.fail(NatsError.errorForCode(ErrorCode.NoResponders))
    else request.settle?.(code === 404 || code === 408 ? 'nothing' : 'gone')
  }
}
