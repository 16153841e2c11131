// A log on JetStream: a stream with one message a subject, written where nothing is. Readers that keep their places are durable
// consumers, made by whoever reads.

import type { ConsumerInfo } from 'nats'
import type { Log, LogEntry, LogName, LogPlace } from '../types.ts'
import { apiCode, jetStreamErrors, told } from './errors.ts'
import { publishFirst, readLast, type Link } from './link.ts'
import { readStream } from './reader.ts'
import { checkKey } from '../subjects.ts'

export function createLog (link: Link, name: LogName): Log {
  const { jsm, names } = link
  const stream = names.logStream(name)
  return {
    create: async (key, bytes) => await publishFirst(link, names.entry(name, key), bytes) ? 'created' : 'present',
    async get (key) {
      const subject = names.entry(name, key)
      return (await told(link, `read ${subject}`, () => readLast(link, stream, subject)))?.bytes ?? null
    },
    async remove (key, sequence) {
      const subject = names.entry(name, key)
      await told(link, `remove ${subject}`, () => removeLast(link, stream, subject, sequence))
    },
    follow: (prefix, signal, after = 0) => follow(link, name, names.entriesBelow(name, prefix), signal, after),
    async place (reader) {
      checkKey(reader)
      return await told(link, `look where the reader ${reader} stands`, async () => {
        try {
          return placeOf(link, name, await jsm.consumers.info(stream, reader))
        } catch (error) {
          if (apiCode(error) === jetStreamErrors.consumerNotFound) return null
          throw error
        }
      })
    },
    async places () {
      return await told(link, `look who reads ${stream}`, async () => {
        const places: LogPlace[] = []
        for await (const info of jsm.consumers.list(stream)) {
          const place = placeOf(link, name, info)
          if (place !== null) places.push(place)
        }
        return places.sort((one, other) => one.reader < other.reader ? -1 : 1)
      })
    }
  }
}

/**
 * By its sequence, since there is one message a subject. When a subject is purged, nats-server 2.9 gives those who read the stream
 * nothing more of what was there.
 */
async function removeLast (link: Link, stream: string, subject: string, sequence?: number): Promise<void> {
  const last = await readLast(link, stream, subject)
  if (last === null || (sequence !== undefined && last.sequence !== sequence)) return
  try {
    await link.jsm.streams.deleteMessage(stream, last.sequence, false)
  } catch (error) {
    // Somebody else has been faster.
    if ((await readLast(link, stream, subject))?.sequence === last.sequence) throw error
  }
}

/** null for one that keeps no place (this bus's own readers), or reads what no prefix names. */
function placeOf ({ names }: Link, log: LogName, { name, config, ack_floor: floor, delivered, num_ack_pending: held, num_pending: waiting }: ConsumerInfo): LogPlace | null {
  const prefix = names.readEntriesBelow(log, config.filter_subject ?? names.entriesBelow(log, ''))
  if (config.durable_name === undefined || prefix === null) return null
  return { reader: name, prefix, acknowledged: floor.stream_seq, delivered: delivered.stream_seq, held, waiting }
}

async function * follow (link: Link, name: LogName, filter: string, signal: AbortSignal, after: number): AsyncGenerator<LogEntry | null> {
  const { names } = link
  for await (const message of readStream(link, { stream: names.logStream(name), filter, latest: false, isPatient: true, signal, after })) {
    yield message === null ? null : { key: names.readEntry(name, message.subject), bytes: message.bytes, sequence: message.sequence }
  }
}
