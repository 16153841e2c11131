// What the parts of the NATS bus share: the connection with its clients, the names, and how a value is written.

import { headers, type JetStreamManager, type NatsConnection, type Status } from 'nats'
import { SparError } from '../../errors.ts'
import type { Clock } from '../../ports.ts'
import type { busLimits } from '../limits.ts'
import type { Names } from '../subjects.ts'
import { apiCode, jetStreamErrors, told } from './errors.ts'
import type { Lane } from './lane/connect.ts'
import type { Requests } from './requests.ts'

export interface Link {
  nc: NatsConnection
  lane: Lane
  requests: Requests
  jsm: JetStreamManager
  names: Names
  clock: Clock
  limits: typeof busLimits
  valueBytesMax: number
  /** Aborts when the bus is closed. */
  closed: AbortSignal
  /** Whether there is a connection right now. */
  isUp (): boolean
  /** Called whenever the connection is there again. */
  reconnected: Set<() => void>
  /** Told about everything that the client says of the connection. */
  heard: Set<(status: Status) => void>
}

export function checkSize ({ valueBytesMax }: Link, bytes: Uint8Array, what: string): void {
  if (bytes.length > valueBytesMax) throw new SparError('BUS_TOO_LARGE', `Cannot send ${what}: it has ${bytes.length} bytes, valueBytesMax is ${valueBytesMax}`, { data: { bytes: bytes.length, valueBytesMax } })
}

/** Publishes with headers, and resolves to the sequence it was kept under. */
export async function publish ({ requests }: Link, subject: string, bytes: Uint8Array, header: Record<string, string> = {}): Promise<number> {
  const given = headers()
  for (const [name, value] of Object.entries(header)) given.set(name, value)
  return (await requests.api<{ seq: number }>(subject, bytes, given)).seq
}

export const onlyOver = (sequence: number): Record<string, string> => ({ 'Nats-Expected-Last-Subject-Sequence': `${sequence}` })

/** Publishes where the subject holds nothing. False: it holds something. */
export async function publishFirst (link: Link, subject: string, bytes: Uint8Array): Promise<boolean> {
  checkSize(link, bytes, subject)
  return await told(link, `write ${subject}`, async () => {
    try {
      await publish(link, subject, bytes, onlyOver(0))
      return true
    } catch (error) {
      if (apiCode(error) === jetStreamErrors.wrongLastSequence) return false
      throw error
    }
  })
}

export interface Last { bytes: Uint8Array; sequence: number; /** As they were sent, '' for none. */ headers: string }

/** The last message of a subject, as the stream's leader has it; null for none. */
export async function readLast ({ requests }: Link, stream: string, subject: string): Promise<Last | null> {
  try {
    const { message } = await requests.api<{ message: { seq: number; hdrs?: string; data?: string } }>(`$JS.API.STREAM.MSG.GET.${stream}`, JSON.stringify({ last_by_subj: subject }))
    return { bytes: Buffer.from(message.data ?? '', 'base64'), sequence: message.seq, headers: Buffer.from(message.hdrs ?? '', 'base64').toString('latin1') }
  } catch (error) {
    if (apiCode(error) === jetStreamErrors.messageNotFound) return null
    throw error
  }
}
