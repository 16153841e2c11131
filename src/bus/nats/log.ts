// A log on JetStream: a stream with one message a subject, written where nothing is, read by an ordered consumer that makes
// itself anew after a lost connection.

import type { ConsumerMessages } from 'nats'
import type { Log, LogEntry, LogName } from '../types.ts'
import { apiCode, busError, jetStreamErrors, told } from './errors.ts'
import { publishFirst, type Link } from './link.ts'

export function createLog (link: Link, name: LogName): Log {
  const { jsm, names } = link
  const stream = names.logStream(name)
  return {
    create: async (key, bytes) => await publishFirst(link, names.entry(name, key), bytes) ? 'created' : 'present',
    async get (key) {
      const subject = names.entry(name, key)
      return await told(`read ${subject}`, async () => {
        try {
          return (await jsm.streams.getMessage(stream, { last_by_subj: subject })).data
        } catch (error) {
          if (apiCode(error) === jetStreamErrors.messageNotFound) return null
          throw error
        }
      })
    },
    async remove (key) {
      const subject = names.entry(name, key)
      await told(`remove ${subject}`, () => jsm.streams.purge(stream, { filter: subject }))
    },
    follow: (prefix, signal) => follow(link, name, prefix, AbortSignal.any([signal, link.closed]))
  }
}

async function * follow ({ js, names }: Link, name: LogName, prefix: string, signal: AbortSignal): AsyncGenerator<LogEntry | null> {
  const subject = names.entriesBelow(name, prefix)
  let messages: ConsumerMessages | null = null
  const stop = (): void => { void messages?.close() }
  signal.addEventListener('abort', stop)
  try {
    if (signal.aborted) return
    const consumer = await js.consumers.get(names.logStream(name), { filterSubjects: subject })
    let isCaughtUp = (await consumer.info()).num_pending === 0
    messages = await consumer.consume()
    if (isCaughtUp) yield null
    if (signal.aborted) return
    for await (const message of messages) {
      yield { key: names.readEntry(name, message.subject), bytes: message.data, sequence: message.seq }
      if (!isCaughtUp && message.info.pending === 0) {
        isCaughtUp = true
        yield null
      }
      if (signal.aborted) return
    }
    if (!signal.aborted) throw Object.assign(new Error('the consumer ended'), { code: 'CONSUMER_ENDED' })
  } catch (error) {
    if (!signal.aborted) throw busError(error, `follow ${subject}`)
  } finally {
    signal.removeEventListener('abort', stop)
    await messages?.close()
  }
}
