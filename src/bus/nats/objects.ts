// Objects, laid out as NATS lays out its own: chunks under a name of their own, then a message that names them with their
// digest. What was cut off halfway is named by nothing.

import { createHash } from 'node:crypto'
import { nuid } from 'nats'
import { SparError } from '../../errors.ts'
import { padded } from '../subjects.ts'
import type { Objects } from '../types.ts'
import { told } from './errors.ts'
import { publish, readLast, type Link } from './link.ts'
import { readStream } from './reader.ts'

/** As `nats object info` shows it. */
interface Meta { name: string; bucket: string; nuid: string; size: number; chunks: number; digest: string; deleted?: boolean; mtime: string; options: { max_chunk_size: number } }

/** The message takes the place of the one before. */
const inPlace = { 'Nats-Rollup': 'sub' }

export function createObjects (link: Link): Objects {
  const { names, jsm } = link
  const find = async (name: string): Promise<Meta | null> => {
    const subject = names.objectMeta(name)
    const last = await told(link, `read ${name}`, () => readLast(link, names.objectStream, subject))
    if (last === null) return null
    const meta = JSON.parse(Buffer.from(last.bytes).toString('utf8')) as Meta
    return meta.deleted === true ? null : meta
  }
  const say = async (meta: Meta): Promise<void> => { await told(link, `keep ${meta.name}`, () => publish(link, names.objectMeta(meta.name), Buffer.from(JSON.stringify(meta)), inPlace)) }
  const forget = async (id: string): Promise<void> => { await told(link, `remove ${id}`, () => jsm.streams.purge(names.objectStream, { filter: names.objectChunks(id) })) }
  return {
    async put (name, bytes) {
      if (await find(name) !== null) return
      const id = nuid.next()
      try {
        await say(await putChunks(link, { name, id }, bytes))
      } catch (error) {
        await forget(id).catch(() => {})
        throw error
      }
    },
    async get (name) {
      const meta = await find(name)
      return meta === null ? null : await readChunks(link, meta)
    },
    async remove (name) {
      const meta = await find(name)
      if (meta === null) return
      await say({ ...meta, size: 0, chunks: 0, digest: '', deleted: true })
      await forget(meta.nuid)
    }
  }
}

async function putChunks (link: Link, { name, id }: { name: string; id: string }, bytes: Uint8Array): Promise<Meta> {
  const { names, limits } = link
  const size = Math.min(limits.chunkBytes, link.valueBytesMax)
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size))
  let next = 0
  const carry = async (): Promise<void> => {
    while (next < chunks.length) {
      const chunk = chunks[next++]!
      await told(link, `keep ${name}`, () => publish(link, names.objectChunks(id), chunk)).catch((error: unknown) => {
        next = chunks.length
        throw error
      })
    }
  }
  // In order on the wire: each starts where another has ended.
  const ended = await Promise.allSettled(Array.from({ length: Math.min(chunks.length, limits.chunksInFlight) }, carry))
  const failed = ended.find(({ status }) => status === 'rejected')
  if (failed !== undefined) throw (failed as PromiseRejectedResult).reason
  return { name, bucket: names.objects, nuid: id, size: bytes.length, chunks: chunks.length, digest: digestOf(bytes), mtime: new Date(link.clock.now()).toISOString(), options: { max_chunk_size: size } }
}

async function readChunks (link: Link, { name, nuid: id, size, chunks, digest }: Meta): Promise<Uint8Array> {
  const bytes = new Uint8Array(size)
  const damaged = (why: string): SparError => new SparError('BUS_UNAVAILABLE', `Cannot read ${name}: ${why}`, { retryable: true })
  let at = 0
  let seen = 0
  if (chunks > 0) {
    const over = new AbortController()
    for await (const message of readStream(link, { stream: link.names.objectStream, filter: link.names.objectChunks(id), latest: false, isPatient: false, signal: over.signal })) {
      if (message === null || at + message.bytes.length > size) break
      bytes.set(message.bytes, at)
      at += message.bytes.length
      if (++seen === chunks) break
    }
    over.abort()
  }
  if (link.closed.aborted) throw new SparError('BUS_CLOSED', `Cannot read ${name}: the connection was closed`)
  if (at !== size) throw damaged(`only ${at} of its ${size} bytes are there`)
  if (digestOf(bytes) !== digest) throw damaged('its bytes are not those of its digest')
  return bytes
}

const digestOf = (bytes: Uint8Array): string => `SHA-256=${padded(createHash('sha256').update(bytes).digest('base64url'))}`
