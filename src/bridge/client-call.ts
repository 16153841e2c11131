// One call, at its client.
//
//   open ──ACCEPT──> accepted ──STATUS──> over
//     └─ ended by this side before it has heard of its server: stays to send CANCEL when it does

import { onAbort } from '../bus/abort.ts'
import { Call, type Side } from './call.ts'
import { checked, encodeFrame, kinds, streamsDown, streamsUp, type Accept, type CallKind, type Carried, type CallFrame, type Status } from './frame.ts'
import type { CallOptions, Messages } from './services.ts'
import { BridgeStatus, statusName, toStatus, type StatusName } from './status.ts'
import { pump, Receiver, Sender } from './stream.ts'
import type { WireMessage } from './wire.ts'

export interface Opening { kind: CallKind; subject: string; /** Of calls with one. */ request?: unknown; /** Of calls that stream. */ requests?: Messages<unknown>; options: CallOptions; /** Told how it ended. */ ended: (status: StatusName) => void }

export class ClientCall extends Call {
  /** The only answer, of calls with one. */
  readonly answer: Promise<unknown>
  /** The answers, of calls that stream. */
  readonly answers: Receiver | null = null
  readonly #opening: Opening
  #isWritten = false
  #isAccepted = false
  #endedAt = Infinity
  #leave: () => void = () => {}
  #settle!: { resolve (value: unknown): void; reject (error: unknown): void }

  constructor (side: Side, opening: Opening) {
    super(side)
    const { wire, limits, parcels, clock } = side
    this.#opening = opening
    const { kind, options: { deadlineMs, signal } } = opening
    this.answer = new Promise((resolve, reject) => { this.#settle = { resolve, reject } })
    // Told by `answers` where calls stream.
    if (streamsDown(kind)) {
      this.answer.catch(() => {})
      this.answers = new Receiver({
        parcels, windowBytes: limits.windowBytes,
        give: bytes => this.giveBack(bytes),
        broken: error => this.fail(toStatus(error)),
        left: () => this.fail(new BridgeStatus('CANCELLED', 'The answers are not read any more'))
      })
    }
    if (streamsUp(kind)) this.sender = new Sender({ parcels, burstBytes: limits.burstBytes, waits: side.counts.waits, payloadBytesMax: () => wire.payloadBytesMax, sequence: () => this.sequence, publish: bytes => this.publishCounted(bytes) })
    if (deadlineMs !== undefined) this.until = clock.now() + deadlineMs
    if (signal !== undefined) this.#leave = onAbort([signal], () => this.fail(new BridgeStatus('CANCELLED', 'The call was cancelled')))
  }

  start (): void {
    const { wire } = this.side
    if (this.isOver) return
    if (!wire.isUp) return this.fail(new BridgeStatus('UNAVAILABLE', 'There is no connection to the bus', { isUnbegun: true }))
    try {
      const { request } = this.#opening
      const bytes = this.#encode(this.sender === null ? { value: request } : null)
      if (bytes.length > wire.payloadBytesMax) void this.#openWithParcel(request)
      else this.#write(bytes)
    } catch (error) {
      this.fail(toStatus(error))
    }
  }

  fail (status: BridgeStatus): void {
    if (this.isOver) return
    this.#over(status)
    this.answers?.drop(status)
    this.#cancel(status.message)
  }

  denied (subject: string): void {
    if (subject === this.#opening.subject) this.fail(new BridgeStatus('PERMISSION_DENIED', `The bus does not allow to write to ${subject}`, { isUnbegun: true }))
  }

  override hear (message: WireMessage): void {
    if (message.isUnserved) return this.#unserved()
    if (this.address === '') this.address = message.reply
    if (!this.isOver) return super.hear(message)
    // It was ended before there was anybody to tell.
    this.#cancel('The call was ended by its client')
    this.side.forget(this)
  }

  override tick (now: number): void {
    if (!this.isOver) super.tick(now)
    else if (now - this.#endedAt >= this.side.limits.keepAliveMs) this.side.forget(this)
  }

  protected get receiver (): Receiver | null { return this.answers }

  protected take (frame: CallFrame, frameBytes: number): void {
    switch (frame.kind) {
      case kinds.ACCEPT: return this.#accepted(frame)
      case kinds.STATUS: return this.#ended(frame)
      case kinds.MESSAGE:
        if (this.answers !== null) return this.answers.push(frame.message, frameBytes)
        break
      case kinds.CREDIT:
        if (this.sender !== null) return this.sender.grant(frame.bytes, frame.given)
    }
    throw new BridgeStatus('INTERNAL', `The server has sent a frame of kind ${frame.kind}, which does not belong to a call of this kind`)
  }

  #encode (message: Carried | null): Uint8Array {
    const { kind, options: { metadata = {} } } = this.#opening
    const timeLeftMs = this.until === Infinity ? 0 : Math.max(1, Math.ceil(this.until - this.side.clock.now()))
    return encodeFrame({ kind: kinds.OPEN, call: kind, timeLeftMs, metadata: checked(metadata), credit: this.answers === null ? 0 : this.side.limits.windowBytes, isEnded: this.sender === null, message })
  }

  async #openWithParcel (request: unknown): Promise<void> {
    const { parcels } = this.side
    try {
      const message = await parcels.put(request)
      if (this.isOver) return parcels.drop(message)
      this.#write(this.#encode(message))
    } catch (error) {
      this.fail(toStatus(error))
    }
  }

  #write (bytes: Uint8Array): void {
    this.#isWritten = true
    this.side.wire.publish(this.#opening.subject, bytes, this.reply)
  }

  #unserved (): void {
    const { subject } = this.#opening
    if (this.address !== '') this.fail(new BridgeStatus('UNAVAILABLE', 'The server of the call is gone'))
    else this.fail(new BridgeStatus('UNAVAILABLE', `Nobody serves ${subject}`, { isUnbegun: true }))
    this.side.forget(this)
  }

  #accepted ({ metadata, credit }: Accept): void {
    if (this.#isAccepted) throw new BridgeStatus('INTERNAL', 'The server has accepted the call twice')
    this.#isAccepted = true
    this.#opening.options.onMetadata?.(metadata)
    if (this.sender === null) return
    this.sender.open(credit)
    void this.#send(this.sender)
  }

  async #send (sender: Sender): Promise<void> {
    try {
      await pump(this.#opening.requests!, { send: value => sender.send(value), isOver: () => this.isOver })
      if (!this.isOver) this.publishCounted(encodeFrame({ kind: kinds.END, sequence: this.sequence }))
    } catch (error) {
      this.fail(error instanceof BridgeStatus ? error : new BridgeStatus('CANCELLED', `The requests ended with: ${(error as Error).message}`, { cause: error }))
    }
  }

  #ended ({ code, text, metadata, message }: Status): void {
    const name = statusName(code)
    if (name === 'OK' && this.answers === null && message === null) throw new BridgeStatus('INTERNAL', 'The server has ended the call without its answer')
    this.side.forget(this)
    const status = name === 'OK' ? null : new BridgeStatus(name, text, { metadata })
    this.#over(status)
    this.answers?.finish(status)
    if (status === null && message !== null) this.#answered(message)
    this.#opening.options.onTrailers?.(metadata)
  }

  #answered (message: Carried): void {
    const { resolve, reject } = this.#settle
    if ('value' in message) resolve(message.value)
    else this.side.parcels.open(message).then(resolve, (error: unknown) => reject(toStatus(error)))
  }

  #over (status: BridgeStatus | null): void {
    this.isEnded = true
    this.#opening.ended(status?.status ?? 'OK')
    this.#endedAt = this.side.clock.now()
    this.#leave()
    this.sender?.stop()
    if (status !== null) this.#settle.reject(status)
    else if (this.answers !== null) this.#settle.resolve(undefined)
  }

  /** Where nobody was heard yet, the call is kept until somebody is. */
  #cancel (text: string): void {
    if (this.#isWritten && this.address === '') return
    if (this.#isWritten) this.publish({ kind: kinds.CANCEL, text })
    this.side.forget(this)
  }
}
