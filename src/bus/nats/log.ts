// A log on JetStream: a stream with one message a subject, written where nothing is.

import type { Log, LogEntry, LogName } from '../types.ts'
import { told } from './errors.ts'
import { publishFirst, readLast, type Link } from './link.ts'
import { readStream } from './reader.ts'

export function createLog (link: Link, name: LogName): Log {
  const { jsm, names } = link
  const stream = names.logStream(name)
  return {
    create: async (key, bytes) => await publishFirst(link, names.entry(name, key), bytes) ? 'created' : 'present',
    async get (key) {
      const subject = names.entry(name, key)
      return (await told(link, `read ${subject}`, () => readLast(link, stream, subject)))?.bytes ?? null
    },
    async remove (key) {
      const subject = names.entry(name, key)
      await told(link, `remove ${subject}`, () => jsm.streams.purge(stream, { filter: subject }))
    },
    follow: (prefix, signal) => follow(link, name, names.entriesBelow(name, prefix), signal)
  }
}

async function * follow (link: Link, name: LogName, filter: string, signal: AbortSignal): AsyncGenerator<LogEntry | null> {
  const { names } = link
  for await (const message of readStream(link, { stream: names.logStream(name), filter, latest: false, isPatient: true, signal })) {
    yield message === null ? null : { key: names.readEntry(name, message.subject), bytes: message.bytes, sequence: message.sequence }
  }
}
