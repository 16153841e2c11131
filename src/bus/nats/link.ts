// What the parts of the NATS bus share: the connection with its clients, the names, and how a value is written first or not at all.

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
}

export function checkSize ({ valueBytesMax }: Link, bytes: Uint8Array, what: string): void {
  if (bytes.length > valueBytesMax) throw new SparError('BUS_TOO_LARGE', `Cannot send ${what}: it has ${bytes.length} bytes, valueBytesMax is ${valueBytesMax}`, { data: { bytes: bytes.length, valueBytesMax } })
}

/** Publishes where the subject holds nothing. False: it holds something. */
export async function publishFirst (link: Link, subject: string, bytes: Uint8Array): Promise<boolean> {
  checkSize(link, bytes, subject)
  const only = headers()
  only.set('Nats-Expected-Last-Subject-Sequence', '0')
  return await told(`write ${subject}`, async () => {
    try {
      await link.js.publish(subject, bytes, { headers: only, timeout: link.limits.answerMsMax })
      return true
    } catch (error) {
      if (apiCode(error) === jetStreamErrors.wrongLastSequence) return false
      throw error
    }
  })
}
