// Frames: what stands in a NATS message (docs/bridge.md). A MessagePack array, the first item says which kind it is. They are
// read by frame-reader.ts.

import { bridgeLimits } from './limits.ts'
import { BridgeStatus } from './status.ts'
import { pack, packLent } from './pack.ts'

export const bridgeVersion = 1

export const kinds = { OPEN: 0, ACCEPT: 1, MESSAGE: 2, END: 3, STATUS: 4, CREDIT: 5, CANCEL: 6, PING: 7, PONG: 8 } as const
export const callKinds = { unary: 0, serverStream: 1, clientStream: 2, bidirectional: 3 } as const
export type CallKind = keyof typeof callKinds

/** Keys in lower case. */
export type Metadata = Record<string, string | Uint8Array>

/** What a message holds, or where among the objects of the bus it lies. */
export type Carried = { value: unknown } | { object: string; size: number; sha256: string }

export interface Open { kind: typeof kinds.OPEN; call: CallKind; timeLeftMs: number; metadata: Metadata; credit: number; isEnded: boolean; message: Carried | null }
export interface Accept { kind: typeof kinds.ACCEPT; metadata: Metadata; credit: number }
export interface Message { kind: typeof kinds.MESSAGE; sequence: number; message: Carried }
export interface End { kind: typeof kinds.END; sequence: number }
export interface Status { kind: typeof kinds.STATUS; sequence: number; code: number; text: string; metadata: Metadata; message: Carried | null }
/** `given`: bytes that were given back in this call so far, those of this frame among them; null where it is not said. */
export interface Credit { kind: typeof kinds.CREDIT; bytes: number; given: number | null }
export interface Cancel { kind: typeof kinds.CANCEL; text: string }
export interface Ping { kind: typeof kinds.PING; sequence: number; given: number | null }
export interface Pong { kind: typeof kinds.PONG; sequence: number; given: number | null }
/** Of a call itself, without those that keep it alive. */
export type CallFrame = Open | Accept | Message | End | Status | Credit | Cancel
export type Frame = CallFrame | Ping | Pong

/** The bytes hold until the next frame. Throws INTERNAL for what cannot be sent, RESOURCE_EXHAUSTED for metadata that are too large. */
export const encodeFrame = (frame: Frame): Uint8Array => packLent(itemsOf(frame))

/** A frame as it stands on the wire. */
export function itemsOf (frame: Frame): unknown[] {
  const { kind } = frame
  switch (kind) {
    case kinds.OPEN: return [kind, bridgeVersion, callKinds[frame.call], frame.timeLeftMs, checked(frame.metadata), frame.credit, frame.isEnded, carriedItems(frame.message)]
    case kinds.ACCEPT: return [kind, checked(frame.metadata), frame.credit]
    case kinds.MESSAGE: return [kind, frame.sequence, carriedItems(frame.message)]
    case kinds.END: return [kind, frame.sequence]
    case kinds.STATUS: return [kind, frame.sequence, frame.code, cut(frame.text), checked(frame.metadata), carriedItems(frame.message)]
    case kinds.CREDIT: return frame.given === null ? [kind, frame.bytes] : [kind, frame.bytes, frame.given]
    case kinds.CANCEL: return [kind, cut(frame.text)]
    default: return frame.given === null ? [kind, frame.sequence] : [kind, frame.sequence, frame.given]
  }
}

const carriedItems = (message: Carried | null): unknown[] | null =>
  message === null ? null : 'value' in message ? [0, message.value] : [1, message.object, message.size, message.sha256]

const cut = (text: string): string => text.slice(0, bridgeLimits.textMax)

export const streamsUp = (call: CallKind): boolean => call === 'clientStream' || call === 'bidirectional'
export const streamsDown = (call: CallKind): boolean => call === 'serverStream' || call === 'bidirectional'

export const isEntry = (key: string, value: unknown): boolean => key !== '' && key === key.toLowerCase() && (typeof value === 'string' || value instanceof Uint8Array)

/** Throws RESOURCE_EXHAUSTED where they are too large, INTERNAL where they are none. */
export function checked (metadata: Metadata): Metadata {
  const entries = Object.entries(metadata)
  if (entries.length === 0) return metadata
  for (const [key, value] of entries) if (!isEntry(key, value)) throw new BridgeStatus('INTERNAL', `Cannot send the metadata "${key}": they are strings or bytes under keys in lower case`)
  const bytes = packLent(metadata).length
  if (bytes > bridgeLimits.metadataBytesMax) throw new BridgeStatus('RESOURCE_EXHAUSTED', `Cannot use metadata of ${bytes} bytes: metadataBytesMax is ${bridgeLimits.metadataBytesMax}`)
  return metadata
}

/** The bytes of a message that lies among the objects. */
export const encodeValue = (value: unknown): Uint8Array => pack(value)
