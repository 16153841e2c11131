// What both sides of a call do: number their frames, notice gaps, keep deadline and keep-alive.

import type { Clock } from '../ports.ts'
import type { BridgeCounts } from './counts.ts'
import { encodeFrame, kinds, type CallFrame, type Frame } from './frame.ts'
import { decodeFrame } from './frame-reader.ts'
import type { BridgeLimits } from './limits.ts'
import type { Parcels } from './parcels.ts'
import { BridgeStatus, toStatus } from './status.ts'
import type { Receiver, Sender } from './stream.ts'
import type { Wire, WireMessage } from './wire.ts'

/** Of all calls of a side. */
export interface Side { wire: Wire; clock: Clock; limits: BridgeLimits; parcels: Parcels; counts: BridgeCounts; keep (call: Call): string; forget (call: Call): void }

export abstract class Call {
  /** Where the other side hears this one. */
  readonly reply: string
  protected readonly side: Side
  /** Where frames go; '' while it is not known. */
  protected address = ''
  protected until = Infinity
  protected isEnded = false
  /** What goes in a stream; null where nothing does. */
  protected sender: Sender | null = null
  #heardAt: number
  #isAsked = false
  #expected = 0
  #sequence = 0

  constructor (side: Side) {
    this.side = side
    this.#heardAt = side.clock.now()
    this.reply = side.keep(this)
  }

  get isOver (): boolean { return this.isEnded }
  protected get sequence (): number { return this.#sequence }

  /** Ends the call by this side. */
  abstract fail (status: BridgeStatus): void
  /** The bus does not let this side write to a subject. */
  abstract denied (subject: string): void
  /** What comes in a stream; null where nothing does. */
  protected abstract get receiver (): Receiver | null
  protected abstract take (frame: CallFrame, frameBytes: number): void

  hear (message: WireMessage): void {
    this.#heardAt = this.side.clock.now()
    this.#isAsked = false
    try {
      const frame = decodeFrame(message.bytes)
      if ('sequence' in frame) this.#count(frame)
      if ((frame.kind === kinds.PING || frame.kind === kinds.PONG) && frame.given !== null) this.sender?.grant(0, frame.given)
      if (frame.kind === kinds.PING) this.publish({ kind: kinds.PONG, sequence: this.#sequence, given: this.#given() })
      else if (frame.kind !== kinds.PONG) this.take(frame, message.bytes.length)
    } catch (error) {
      this.fail(toStatus(error))
    }
  }

  /** Looks at the time. */
  tick (now: number): void {
    const { keepAliveMs } = this.side.limits
    const silentMs = now - this.#heardAt
    if (now >= this.until) this.fail(new BridgeStatus('DEADLINE_EXCEEDED', 'The call was not done within its deadline'))
    else if (silentMs >= 2 * keepAliveMs) this.fail(new BridgeStatus('UNAVAILABLE', `The other side of the call has said nothing for ${silentMs} ms`))
    else if (silentMs >= keepAliveMs && !this.#isAsked && this.address !== '') {
      this.#isAsked = true
      // With a reply, since NATS says there at once where nobody hears it.
      this.publish({ kind: kinds.PING, sequence: this.#sequence, given: this.#given() }, this.reply)
    }
  }

  protected publish (frame: Frame, reply?: string): void {
    this.side.wire.publish(this.address, encodeFrame(frame), reply)
  }

  /** A frame that is counted. */
  protected publishCounted (bytes: Uint8Array): void {
    this.#sequence++
    this.side.wire.publish(this.address, bytes)
  }

  protected giveBack (bytes: number): void {
    this.publish({ kind: kinds.CREDIT, bytes, given: this.#given() })
  }

  #given (): number | null { return this.receiver?.givenBytes ?? null }

  /** PING and PONG tell how far the other side has come; a frame that is counted goes one further. */
  #count ({ kind, sequence }: Extract<Frame, { sequence: number }>): void {
    if (sequence !== this.#expected) throw new BridgeStatus('DATA_LOSS', `Frame ${sequence} of a call came instead of frame ${this.#expected}`)
    if (kind !== kinds.PING && kind !== kinds.PONG) this.#expected++
  }
}
