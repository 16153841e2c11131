// Frames: what stands in a NATS message (docs/bridge.md). A MessagePack array, the first item says which kind it is; items
// behind those known here are ignored, everything else that does not fit is INTERNAL.

import { bridgeLimits } from './limits.ts'
import { BridgeStatus } from './status.ts'
import { incoming, pack, unpack, unreadable } from './value.ts'

export const bridgeVersion = 1

export const kinds = { OPEN: 0, ACCEPT: 1, MESSAGE: 2, END: 3, STATUS: 4, CREDIT: 5, CANCEL: 6, PING: 7, PONG: 8 } as const
export const callKinds = { unary: 0, serverStream: 1, clientStream: 2, bidirectional: 3 } as const
export type CallKind = keyof typeof callKinds
const callKindNames = Object.keys(callKinds) as CallKind[]

/** Keys in lower case. */
export type Metadata = Record<string, string | Uint8Array>

/** What a message holds, or where among the objects of the bus it lies. */
export type Carried = { value: unknown } | { object: string; size: number; sha256: string }

export interface Open { kind: typeof kinds.OPEN; call: CallKind; timeLeftMs: number; metadata: Metadata; credit: number; isEnded: boolean; message: Carried | null }
export interface Accept { kind: typeof kinds.ACCEPT; metadata: Metadata; credit: number }
export interface Message { kind: typeof kinds.MESSAGE; sequence: number; message: Carried }
export interface End { kind: typeof kinds.END; sequence: number }
export interface Status { kind: typeof kinds.STATUS; sequence: number; code: number; text: string; metadata: Metadata; message: Carried | null }
export interface Credit { kind: typeof kinds.CREDIT; bytes: number }
export interface Cancel { kind: typeof kinds.CANCEL; text: string }
export interface Ping { kind: typeof kinds.PING; sequence: number }
export interface Pong { kind: typeof kinds.PONG; sequence: number }
/** Of a call itself, without those that keep it alive. */
export type CallFrame = Open | Accept | Message | End | Status | Credit | Cancel
export type Frame = CallFrame | Ping | Pong

/** Throws INTERNAL for what cannot be sent, RESOURCE_EXHAUSTED for metadata that are too large. */
export const encodeFrame = (frame: Frame): Uint8Array => pack(itemsOf(frame))

/** A frame as it stands on the wire. */
export function itemsOf (frame: Frame): unknown[] {
  const { kind } = frame
  switch (kind) {
    case kinds.OPEN: return [kind, bridgeVersion, callKinds[frame.call], frame.timeLeftMs, checked(frame.metadata), frame.credit, frame.isEnded, carriedItems(frame.message)]
    case kinds.ACCEPT: return [kind, checked(frame.metadata), frame.credit]
    case kinds.MESSAGE: return [kind, frame.sequence, carriedItems(frame.message)]
    case kinds.END: return [kind, frame.sequence]
    case kinds.STATUS: return [kind, frame.sequence, frame.code, cut(frame.text), checked(frame.metadata), carriedItems(frame.message)]
    case kinds.CREDIT: return [kind, frame.bytes]
    case kinds.CANCEL: return [kind, cut(frame.text)]
    default: return [kind, frame.sequence]
  }
}

const carriedItems = (message: Carried | null): unknown[] | null =>
  message === null ? null : 'value' in message ? [0, message.value] : [1, message.object, message.size, message.sha256]

const cut = (text: string): string => text.slice(0, bridgeLimits.textMax)

/** Throws INTERNAL; UNIMPLEMENTED for a newer version; RESOURCE_EXHAUSTED for metadata that are too large. */
export function decodeFrame (bytes: Uint8Array): Frame {
  const items = unpack(bytes)
  if (!Array.isArray(items)) throw unreadable('it is no list')
  const kind: unknown = items[0]
  switch (kind) {
    case kinds.OPEN: return decodeOpen(items)
    case kinds.ACCEPT: return { kind, metadata: metadataAt(items, 1), credit: countAt(items, 2) }
    case kinds.MESSAGE: return { kind, sequence: countAt(items, 1), message: carried(items[2]) }
    case kinds.END: return { kind, sequence: countAt(items, 1) }
    case kinds.STATUS: return decodeStatus(items)
    case kinds.CREDIT: return { kind, bytes: countAt(items, 1) }
    case kinds.CANCEL: return { kind, text: textAt(items, 1) }
    case kinds.PING:
    case kinds.PONG: return { kind, sequence: countAt(items, 1) }
    default: throw unreadable('its kind is not known')
  }
}

function decodeOpen (items: unknown[]): Open {
  const version = countAt(items, 1)
  // What else a newer one holds is not known here.
  if (version > bridgeVersion) throw new BridgeStatus('UNIMPLEMENTED', `This server speaks version ${bridgeVersion} of the bridge, the call is of version ${version}`, { isUnbegun: true })
  if (version !== bridgeVersion) throw unreadable(`there is no version ${version}`)
  const call = callKindNames[countAt(items, 2)]
  if (call === undefined) throw unreadable('its kind of call is not known')
  const isEnded = items[6]
  if (typeof isEnded !== 'boolean') throw unreadable('item 6 is no boolean')
  const message = carriedOrNull(items[7])
  // One request, all at once; or a stream, which may have ended before it began.
  const fits = streamsUp(call) ? isEnded || message === null : isEnded && message !== null
  if (!fits) throw unreadable('its message does not fit its kind of call')
  return { kind: kinds.OPEN, call, timeLeftMs: countAt(items, 3), metadata: metadataAt(items, 4), credit: countAt(items, 5), isEnded, message }
}

export const streamsUp = (call: CallKind): boolean => call === 'clientStream' || call === 'bidirectional'
export const streamsDown = (call: CallKind): boolean => call === 'serverStream' || call === 'bidirectional'

function decodeStatus (items: unknown[]): Status {
  const code = countAt(items, 2)
  if (code > 16) throw unreadable('its code is none')
  return { kind: kinds.STATUS, sequence: countAt(items, 1), code, text: textAt(items, 3), metadata: metadataAt(items, 4), message: carriedOrNull(items[5]) }
}

function countAt (items: unknown[], index: number): number {
  const value = items[index]
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw unreadable(`item ${index} is no count`)
  return value as number
}

function textAt (items: unknown[], index: number): string {
  const value = items[index]
  if (typeof value !== 'string') throw unreadable(`item ${index} is no text`)
  return value
}

const carriedOrNull = (items: unknown): Carried | null => items === null ? null : carried(items)

function carried (items: unknown): Carried {
  if (!Array.isArray(items)) throw unreadable('its message is no list')
  if (items[0] === 0 && items.length > 1) return { value: incoming(items[1]) }
  if (items[0] !== 1) throw unreadable('the form of its message is not known')
  const sha256 = textAt(items, 3)
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw unreadable('the digest of its message is none')
  return { object: textAt(items, 1), size: countAt(items, 2), sha256 }
}

function metadataAt (items: unknown[], index: number): Metadata {
  const value = incoming(items[index])
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) throw unreadable(`item ${index} is no metadata`)
  for (const [key, item] of Object.entries(value)) if (!isEntry(key, item)) throw unreadable('its metadata are not strings or bytes under keys in lower case')
  return checked(value as Metadata)
}

const isEntry = (key: string, value: unknown): boolean => key !== '' && key === key.toLowerCase() && (typeof value === 'string' || value instanceof Uint8Array)

/** Throws RESOURCE_EXHAUSTED where they are too large, INTERNAL where they are none. */
export function checked (metadata: Metadata): Metadata {
  const entries = Object.entries(metadata)
  if (entries.length === 0) return metadata
  for (const [key, value] of entries) if (!isEntry(key, value)) throw new BridgeStatus('INTERNAL', `Cannot send the metadata "${key}": they are strings or bytes under keys in lower case`)
  const bytes = pack(metadata).length
  if (bytes > bridgeLimits.metadataBytesMax) throw new BridgeStatus('RESOURCE_EXHAUSTED', `Cannot use metadata of ${bytes} bytes: metadataBytesMax is ${bridgeLimits.metadataBytesMax}`)
  return metadata
}

/** The bytes of a message that lies among the objects, and back. */
export const encodeValue = (value: unknown): Uint8Array => pack(value)
export const decodeValue = (bytes: Uint8Array): unknown => incoming(unpack(bytes))
