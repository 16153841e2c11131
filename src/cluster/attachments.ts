// What work leaves beside its result. Small things travel in the record, the rest lies among the objects by its hash.

import { createHash } from 'node:crypto'
import type { Objects } from '../bus/types.ts'
import { SparError } from '../errors.ts'
import { clusterLimits } from './limits.ts'

/** Bytes, or where they are. `name` is the place in the folder of a run. */
export interface Attachment { name: string; size: number; inline: Uint8Array | null; object: string | null }

export async function attach (objects: Objects, things: readonly { name: string; bytes: Uint8Array }[], inlineBytesMax = clusterLimits.inlineBytesMax): Promise<Attachment[]> {
  let room = inlineBytesMax
  return await Promise.all(things.map(async ({ name, bytes }): Promise<Attachment> => {
    if (bytes.length <= room) {
      room -= bytes.length
      // A copy: an ending that is kept at hand does not keep the encoder's buffer.
      return { name, size: bytes.length, inline: new Uint8Array(bytes), object: null }
    }
    const object = `sha256-${createHash('sha256').update(bytes).digest('hex')}`
    await objects.put(object, bytes)
    return { name, size: bytes.length, inline: null, object }
  }))
}

/** Throws ATTACHMENT_LOST, or ATTACHMENT_CORRUPT where the bytes are not those of the name. */
export async function detach (objects: Objects, { name, inline, object, size }: Attachment): Promise<Uint8Array> {
  if (inline !== null) return inline
  const bytes = await objects.get(object!)
  if (bytes === null) throw new SparError('ATTACHMENT_LOST', `Cannot read ${name}: the object ${object} is not there`, { retryable: true })
  if (bytes.length !== size || `sha256-${createHash('sha256').update(bytes).digest('hex')}` !== object) throw new SparError('ATTACHMENT_CORRUPT', `Cannot trust ${name}: what is kept as ${object} has another hash`, { retryable: true })
  return bytes
}
