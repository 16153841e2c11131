// Messages that are larger than the wire takes: they lie among the objects of the bus, and a frame names them. The reader
// removes what it has read; the writer removes what was not read in time.

import { createHash } from 'node:crypto'
import type { Objects } from '../bus/types.ts'
import { SparError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { encodeValue, type Carried } from './frame.ts'
import { decodeValue } from './frame-reader.ts'
import type { BridgeLimits } from './limits.ts'
import { BridgeStatus, toStatus } from './status.ts'

type Named = Extract<Carried, { object: string }>

export interface ParcelOptions { objects: Objects; clock: Clock; limits: BridgeLimits; /** A token that no other writer has. */ writer: string }

export class Parcels {
  readonly #options: ParcelOptions
  /** By name, until when it may be read. */
  readonly #sent = new Map<string, number>()
  #count = 0

  constructor (options: ParcelOptions) { this.#options = options }

  get isEmpty (): boolean { return this.#sent.size === 0 }

  /** Throws RESOURCE_EXHAUSTED, UNAVAILABLE, INTERNAL. */
  async put (value: unknown): Promise<Named> {
    const { objects, clock, limits, writer } = this.#options
    const bytes = encodeValue(value)
    this.#checkSize(bytes.length)
    const object = `bridge.${writer}.${(++this.#count).toString(36)}`
    await objects.put(object, bytes).catch(failed)
    this.#sent.set(object, clock.now() + limits.objectMs)
    return { object, size: bytes.length, sha256: digestOf(bytes) }
  }

  /** Throws DATA_LOSS where it is not there as it was put. */
  async open (message: Carried): Promise<unknown> {
    if ('value' in message) return message.value
    const { object, size, sha256 } = message
    this.#checkSize(size)
    const bytes = await this.#options.objects.get(object).catch(failed)
    if (bytes === null) throw new BridgeStatus('DATA_LOSS', `The object ${object} of a message is not there`)
    this.drop(message)
    if (bytes.length !== size || digestOf(bytes) !== sha256) throw new BridgeStatus('DATA_LOSS', `The object ${object} of a message is not what was sent`)
    return decodeValue(bytes)
  }

  /** What nobody will read. Where this does not get through, its writer removes it. */
  drop (message: Carried): void {
    if ('object' in message) this.#options.objects.remove(message.object).catch(() => {})
  }

  expire (now: number): void {
    for (const [object, until] of this.#sent) {
      // In the order of their ends.
      if (until > now) return
      this.#sent.delete(object)
      this.#options.objects.remove(object).catch(() => {})
    }
  }

  forget (): void { this.#sent.clear() }

  #checkSize (bytes: number): void {
    const { messageBytesMax } = this.#options.limits
    if (bytes > messageBytesMax) throw new BridgeStatus('RESOURCE_EXHAUSTED', `A message of ${bytes} bytes is too large: messageBytesMax is ${messageBytesMax}`)
  }
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function failed (error: unknown): never {
  if (!(error instanceof SparError)) throw toStatus(error)
  throw new BridgeStatus(error.code === 'BUS_FULL' ? 'RESOURCE_EXHAUSTED' : 'UNAVAILABLE', error.message, { cause: error })
}
