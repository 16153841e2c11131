// One call, at its server: what a handler does is sent, and the handler is told when nobody waits for it any more.

import { Call, type Side } from './call.ts'
import { checked, encodeFrame, kinds, streamsDown, streamsUp, type CallFrame, type Carried, type Metadata, type Open } from './frame.ts'
import type { CallContext, Handler, Messages } from './services.ts'
import { BridgeStatus, statusCodes, toStatus, type StatusName } from './status.ts'
import { pump, Receiver, Sender } from './stream.ts'
import type { WireMessage } from './wire.ts'

export class ServerCall extends Call implements CallContext {
  readonly metadata: Metadata
  responseMetadata: Metadata = {}
  trailers: Metadata = {}
  readonly #open: Open
  readonly #requests: Receiver | null = null
  readonly #openedAt: number
  readonly #ended: (status: StatusName) => void
  #isAccepted = false
  /** Made when it is asked for. */
  #aborting: AbortController | null = null
  #why: BridgeStatus | null = null

  constructor (side: Side, client: string, open: Open, ended: (status: StatusName) => void) {
    super(side)
    this.#ended = ended
    const { wire, parcels, limits, clock } = side
    this.address = client
    this.metadata = open.metadata
    this.#open = open
    this.#openedAt = clock.now()
    if (open.timeLeftMs > 0) this.until = this.#openedAt + open.timeLeftMs
    if (streamsUp(open.call)) this.#requests = this.#receive()
    if (streamsDown(open.call)) {
      this.sender = new Sender({ parcels, burstBytes: limits.burstBytes, waits: side.counts.waits, payloadBytesMax: () => wire.payloadBytesMax, sequence: () => this.sequence, publish: bytes => this.publishCounted(bytes) })
      this.sender.open(open.credit)
    }
    if (open.isEnded && this.#requests !== null) {
      if (open.message !== null) this.#requests.push(open.message, 0)
      this.#requests.finish(null)
    }
  }

  get timeLeftMs (): number { return Math.max(0, this.until - this.side.clock.now()) }

  get signal (): AbortSignal {
    this.#aborting ??= new AbortController()
    if (this.#why !== null) this.#aborting.abort(this.#why)
    return this.#aborting.signal
  }

  /** Resolves when the handler has ended, whoever has ended the call. Never rejects. */
  async run (handler: Handler): Promise<void> {
    try {
      const outcome = handler(this.#requests ?? await this.#request(), this)
      const answer = this.sender === null ? await this.#awaited(outcome) : await this.#stream(outcome as Messages<unknown>, this.sender)
      if (!this.isOver) await this.#answer(answer)
    } catch (error) {
      this.fail(toStatus(error))
    }
  }

  fail (status: BridgeStatus): void {
    if (this.isOver) return
    this.#over(status)
    const { number, message, metadata } = status
    this.#say(number, message, metadata)
  }

  override tick (now: number): void {
    super.tick(now)
    if (this.isOver || now - this.#openedAt < this.side.limits.acceptMs) return
    try {
      this.#accept()
    } catch (error) {
      this.fail(toStatus(error))
    }
  }

  override hear (message: WireMessage): void {
    if (message.isUnserved) this.#over(new BridgeStatus('UNAVAILABLE', 'The client of the call is gone'))
    else super.hear(message)
  }

  denied (subject: string): void {
    if (subject === this.address) this.#over(new BridgeStatus('PERMISSION_DENIED', `The bus does not allow to write to ${subject}`))
  }

  protected get receiver (): Receiver | null { return this.#requests }

  protected take (frame: CallFrame, frameBytes: number): void {
    switch (frame.kind) {
      case kinds.CANCEL: return this.#over(new BridgeStatus('CANCELLED', frame.text))
      case kinds.CREDIT:
        if (this.sender !== null) return this.sender.grant(frame.bytes, frame.given)
        break
      case kinds.MESSAGE:
        if (this.#requests !== null) return this.#requests.push(frame.message, frameBytes)
        break
      case kinds.END:
        if (this.#requests !== null) return this.#requests.finish(null)
    }
    throw new BridgeStatus('INTERNAL', `The client has sent a frame of kind ${frame.kind}, which does not belong to a call of this kind`)
  }

  #receive (): Receiver {
    const { parcels, limits: { windowBytes } } = this.side
    return new Receiver({ parcels, windowBytes, give: bytes => this.giveBack(bytes), broken: error => this.fail(toStatus(error)), left: () => {} })
  }

  /** The only one; at once where it is here. */
  #request (): unknown {
    const message = this.#open.message!
    return 'value' in message ? message.value : this.side.parcels.open(message)
  }

  /** What the handler says before its first await has been said. */
  #awaited (outcome: unknown): unknown {
    if (this.#requests !== null) this.#accept()
    return outcome
  }

  async #stream (answers: Messages<unknown>, sender: Sender): Promise<null> {
    await pump(answers, { send: value => sender.send(value), begun: () => this.#accept(), isOver: () => this.isOver })
    return null
  }

  #accept (): void {
    if (this.#isAccepted || this.isOver) return
    this.#isAccepted = true
    this.publish({ kind: kinds.ACCEPT, metadata: checked(this.responseMetadata), credit: this.#requests === null ? 0 : this.side.limits.windowBytes }, this.reply)
  }

  async #answer (value: unknown): Promise<void> {
    const { wire, parcels } = this.side
    const message = this.sender === null ? { value } : null
    if (Object.keys(this.responseMetadata).length > 0) this.#accept()
    const bytes = this.#status(message)
    if (bytes.length <= wire.payloadBytesMax) return this.#end(bytes)
    const parcel = await parcels.put(value)
    if (this.isOver) parcels.drop(parcel)
    else this.#end(this.#status(parcel))
  }

  #status (message: Carried | null): Uint8Array {
    return encodeFrame({ kind: kinds.STATUS, sequence: this.sequence, code: statusCodes.OK, text: '', metadata: this.trailers, message })
  }

  #end (bytes: Uint8Array): void {
    this.publishCounted(bytes)
    this.#over(null)
  }

  /** Without trailers that are too large. */
  #say (code: number, text: string, metadata: Metadata): void {
    const status = { kind: kinds.STATUS, sequence: this.sequence, code, text, message: null } as const
    let bytes: Uint8Array
    try {
      bytes = encodeFrame({ ...status, metadata })
    } catch {
      bytes = encodeFrame({ ...status, metadata: {} })
    }
    this.publishCounted(bytes)
  }

  #over (why: BridgeStatus | null): void {
    if (this.isOver) return
    this.isEnded = true
    this.#why = why
    this.#ended(why?.status ?? 'OK')
    this.side.forget(this)
    this.sender?.stop()
    this.#requests?.drop(why)
    if (why !== null) this.#aborting?.abort(why)
  }
}
