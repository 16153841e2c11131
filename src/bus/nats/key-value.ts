// Buckets, laid out as NATS lays out its own: a stream with one message a key, revisions are its sequences, what was removed
// is marked. Reads go to the stream's leader, so that who has written reads what was written.

import { SparError } from '../../errors.ts'
import { isBelow } from '../keys.ts'
import { checkPrefix } from '../subjects.ts'
import type { Bucket, KeyEntry, KeyValue } from '../types.ts'
import { told } from './errors.ts'
import { checkSize, onlyOver, publish, readLast, type Link } from './link.ts'
import { readStream } from './reader.ts'

const operation = 'KV-Operation'
const nothing = new Uint8Array()

interface Kept { isRemoved: boolean; bytes: Uint8Array; revision: number }

export function createKeyValue (link: Link, bucket: Bucket): KeyValue {
  const { names } = link
  const stream = names.bucketStream(bucket)

  const read = async (key: string): Promise<Kept | null> => {
    const subject = names.value(bucket, key)
    const last = await told(link, `read ${key}`, () => readLast(link, stream, subject))
    return last === null ? null : { isRemoved: last.headers.includes(`${operation}:`), bytes: last.bytes, revision: last.sequence }
  }
  const write = async (key: string, bytes: Uint8Array, header?: Record<string, string>): Promise<number> => {
    const subject = names.value(bucket, key)
    checkSize(link, bytes, key)
    return await told(link, `write ${key}`, () => publish(link, subject, bytes, header))
  }
  const conflict = (key: string, revision: number): SparError => new SparError('BUS_CONFLICT', `Cannot write ${key} over revision ${revision}: somebody else has written it`)
  const writeOver = async (key: string, bytes: Uint8Array, revision: number): Promise<number | null> => {
    try {
      return await write(key, bytes, onlyOver(revision))
    } catch (error) {
      if ((error as SparError).code === 'BUS_CONFLICT') return null
      throw error
    }
  }
  return {
    async get (key) {
      const kept = await read(key)
      return kept === null || kept.isRemoved ? null : { bytes: kept.bytes, revision: kept.revision }
    },
    put: async (key, bytes) => await write(key, bytes),
    async update (key, bytes, revision) {
      let written = await writeOver(key, bytes, revision)
      if (written === null && revision === 0) {
        const marker = await read(key)
        if (marker?.isRemoved === true) written = await writeOver(key, bytes, marker.revision)
      }
      if (written === null) throw conflict(key, revision)
      return written
    },
    async remove (key) {
      const kept = await read(key)
      if (kept !== null && !kept.isRemoved) await write(key, nothing, { [operation]: 'DEL' })
    },
    watch: (prefix, signal) => watch(link, bucket, checkPrefix(prefix), signal)
  }
}

async function * watch (link: Link, bucket: Bucket, prefix: string, signal: AbortSignal): AsyncGenerator<KeyEntry | null> {
  const { names } = link
  /** Keys that were told, until everything that was there is: of the others nobody has to hear that they are gone. */
  let known: Set<string> | null = new Set()
  for await (const message of readStream(link, { stream: names.bucketStream(bucket), filter: names.values(bucket), latest: true, isPatient: true, signal })) {
    if (message === null) {
      known = null
      yield null
      continue
    }
    const key = names.readValue(bucket, message.subject)
    if (!isBelow(key, prefix)) continue
    const isRemoved = message.headers?.has(operation) === true
    if (isRemoved && known?.has(key) === false) continue
    known?.add(key)
    yield { key, bytes: isRemoved ? null : message.bytes, revision: message.sequence }
  }
}
