// Reads frames: one after the other the items that are known, and passes over those behind them.

import { bridgeVersion, callKinds, checked, isEntry, kinds, streamsUp, type CallKind, type Carried, type Frame, type Metadata, type Open, type Status } from './frame.ts'
import { BridgeStatus } from './status.ts'
import { unreadable, Unpacker } from './unpack.ts'

const callKindNames = Object.keys(callKinds) as CallKind[]

/** Throws INTERNAL; UNIMPLEMENTED for a newer version; RESOURCE_EXHAUSTED for metadata that are too large. */
export function decodeFrame (bytes: Uint8Array): Frame {
  const unpacker = new Unpacker(bytes)
  const items = new Items(unpacker, 'it')
  const frame = readFrame(items)
  items.end()
  if (!unpacker.isDone) throw unreadable('there are bytes behind it')
  return frame
}

/** The value of a message that lies among the objects. */
export function decodeValue (bytes: Uint8Array): unknown {
  const unpacker = new Unpacker(bytes)
  const value = unpacker.value()
  if (!unpacker.isDone) throw unreadable('there are bytes behind it')
  return value
}

function readFrame (items: Items): Frame {
  const kind = items.count('its kind')
  switch (kind) {
    case kinds.OPEN: return readOpen(items)
    case kinds.ACCEPT: return { kind, metadata: items.metadata(), credit: items.count('its credit') }
    case kinds.MESSAGE: return { kind, sequence: items.count('its sequence'), message: items.message() }
    case kinds.STATUS: return readStatus(items)
    case kinds.CREDIT: return { kind, bytes: items.count('its bytes'), given: items.countOrNull() }
    case kinds.CANCEL: return { kind, text: items.text('its text') }
    case kinds.END: return { kind, sequence: items.count('its sequence') }
    case kinds.PING:
    case kinds.PONG: return { kind, sequence: items.count('its sequence'), given: items.countOrNull() }
    default: throw unreadable('its kind is not known')
  }
}

function readOpen (items: Items): Open {
  const version = items.count('its version')
  // What else a newer one holds is not known here.
  if (version > bridgeVersion) throw new BridgeStatus('UNIMPLEMENTED', `This server speaks version ${bridgeVersion} of the bridge, the call is of version ${version}`, { isUnbegun: true })
  if (version !== bridgeVersion) throw unreadable(`there is no version ${version}`)
  const call = callKindNames[items.count('its kind of call')]
  if (call === undefined) throw unreadable('its kind of call is not known')
  const open: Open = { kind: kinds.OPEN, call, timeLeftMs: items.count('its time left'), metadata: items.metadata(), credit: items.count('its credit'), isEnded: items.flag('whether it has ended'), message: items.messageOrNull() }
  // One request, all at once; or a stream, which may have ended before it began.
  const fits = streamsUp(call) ? open.isEnded || open.message === null : open.isEnded && open.message !== null
  if (!fits) throw unreadable('its message does not fit its kind of call')
  return open
}

function readStatus (items: Items): Status {
  const sequence = items.count('its sequence')
  const code = items.count('its code')
  if (code > 16) throw unreadable('its code is none')
  return { kind: kinds.STATUS, sequence, code, text: items.text('its text'), metadata: items.metadata(), message: items.messageOrNull() }
}

/** Of a list, in their order. */
class Items {
  readonly #unpacker: Unpacker
  #left: number

  constructor (unpacker: Unpacker, what: string) {
    this.#unpacker = unpacker
    this.#left = unpacker.listLength(what)
  }

  count (what: string): number {
    const value = this.#next(what).value()
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw unreadable(`${what} is no count`)
    return value as number
  }

  /** Null where it is not there, or something else that a newer side may have put there. */
  countOrNull (): number | null {
    if (this.#left === 0) return null
    const value = this.#next('').value()
    return Number.isSafeInteger(value) && (value as number) >= 0 ? value as number : null
  }

  text (what: string): string {
    const value = this.#next(what).value()
    if (typeof value !== 'string') throw unreadable(`${what} is no text`)
    return value
  }

  flag (what: string): boolean {
    const value = this.#next(what).value()
    if (typeof value !== 'boolean') throw unreadable(`${what} is no boolean`)
    return value
  }

  metadata (): Metadata {
    const value = this.#next('its metadata').value()
    if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) throw unreadable('its metadata are no map')
    for (const [key, item] of Object.entries(value)) if (!isEntry(key, item)) throw unreadable('its metadata are not strings or bytes under keys in lower case')
    return checked(value as Metadata)
  }

  messageOrNull (): Carried | null {
    return this.#next('its message').isNull() ? null : readCarried(new Items(this.#unpacker, 'its message'))
  }

  message (): Carried {
    this.#next('its message')
    return readCarried(new Items(this.#unpacker, 'its message'))
  }

  value (what: string): unknown { return this.#next(what).value() }

  /** What is not known here. */
  end (): void {
    for (; this.#left > 0; this.#left--) this.#unpacker.skip()
  }

  #next (what: string): Unpacker {
    if (this.#left-- === 0) throw unreadable(`it ends before ${what}`)
    return this.#unpacker
  }
}

function readCarried (items: Items): Carried {
  const form = items.count('the form of its message')
  if (form > 1) throw unreadable('the form of its message is not known')
  const carried: Carried = form === 0
    ? { value: items.value('the value of its message') }
    : { object: items.text('its object'), size: items.count('the size of its object'), sha256: items.text('the digest of its message') }
  if ('sha256' in carried && !/^[0-9a-f]{64}$/.test(carried.sha256)) throw unreadable('the digest of its message is none')
  items.end()
  return carried
}
