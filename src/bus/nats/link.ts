// What the parts of the NATS bus share: the connection with its clients, the names, and how a value is written.

import { headers, type JetStreamClient, type JetStreamManager, type NatsConnection } from 'nats'
import { SparError } from '../../errors.ts'
import type { Clock } from '../../ports.ts'
import type { busLimits } from '../limits.ts'
import type { Names } from '../subjects.ts'
import { apiCode, jetStreamErrors, told } from './errors.ts'

export interface Link {
  nc: NatsConnection
  js: JetStreamClient
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
}

export function checkSize ({ valueBytesMax }: Link, bytes: Uint8Array, what: string): void {
  if (bytes.length > valueBytesMax) throw new SparError('BUS_TOO_LARGE', `Cannot send ${what}: it has ${bytes.length} bytes, valueBytesMax is ${valueBytesMax}`, { data: { bytes: bytes.length, valueBytesMax } })
}

/** Publishes with headers, and resolves to the sequence it was kept under. */
export async function publish ({ js, limits }: Link, subject: string, bytes: Uint8Array, header: Record<string, string> = {}): Promise<number> {
  const given = headers()
  for (const [name, value] of Object.entries(header)) given.set(name, value)
  return (await js.publish(subject, bytes, { headers: given, timeout: limits.answerMsMax })).seq
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
