// The bus as one process of the simulated cluster sees it: the bus in memory (which is held to a real server by test/bus/same), behind a
// connection that delays, loses, repeats and is cut. A call whose answer does not come fails after as long as a real client waits, whether
// or not the bus did what was asked.

import { Channel } from '../bus/channel.ts'
import { each } from '../bus/each.ts'
import { busLimits } from '../bus/limits.ts'
import { buckets, logs, type Bucket, type Bus, type KeyValue, type Log, type LogName, type QueueMessage } from '../bus/types.ts'
import { SparError } from '../errors.ts'
import type { Fates } from './faults.ts'
import type { Host } from './host.ts'
import type { Link } from './link.ts'
import type { VirtualTime } from './time.ts'

export interface SimulatedBusOptions {
  /** A connection to the broker that ends with the process: it follows and takes over it. */
  inner: Bus
  /** One that does not: what was on its way when the process ended still arrives. */
  server: Bus
  host: Host
  link: Link
  time: VirtualTime
  fates: Pick<Fates, 'strikes'>
  /** Told about every call that the bus has carried out, when it does. */
  onDone: (what: string, detail: string) => void
  /** Ends the process between a write and its hearing of it. */
  crash: () => void
  /** How long an acknowledged message stays away that the server brings back. */
  resurrectMs?: number
}

/** A reason that is there already costs no error. */
const left = new Error('left')

const writes = /\.(create|remove|put|update|add|ack|purge)$/

export function simulatedBus ({ inner, server, host, link, time, fates, onDone, crash, resurrectMs = 1_000 }: SimulatedBusOptions): Bus {
  const closed = new AbortController()
  /** Who waits for work: a listener of a signal for each would cost more than all else. */
  const pulls = new Set<() => void>()
  const unavailable = (what: string): SparError => new SparError('BUS_UNAVAILABLE', `Cannot ${what}: the bus does not answer`, { retryable: true })

  /** A call and its answer. */
  function ask<Answer> (what: string, detail: string, act: () => Promise<Answer>): Promise<Answer> {
    if (closed.signal.aborted) return Promise.reject(new SparError('BUS_CLOSED', 'Cannot use the bus: the connection was closed'))
    return new Promise((resolve, reject) => {
      const lost = (): void => { time.at(time.now() + busLimits.answerMsMax, () => host.hear(() => reject(unavailable(what)))) }
      const carryOut = async (): Promise<void> => {
        try {
          const answer = await act()
          onDone(what, detail)
          if (writes.test(what) && fates.strikes('crashAfterWrite')) return crash()
          link.send('in', () => host.hear(() => resolve(answer)), lost)
        } catch (error) {
          onDone(`${what}!`, detail)
          link.send('in', () => host.hear(() => reject(error as Error)), lost)
        }
      }
      link.send('out', () => void carryOut(), lost)
      // The same message once more, as after a publisher that tried again; nobody hears its answer.
      if (fates.strikes('duplicate')) link.send('out', () => void act().then(() => onDone(`${what}+`, detail), () => {}))
    })
  }

  const full = async <Answer>(act: () => Promise<Answer>): Promise<Answer> => {
    if (fates.strikes('full')) throw new SparError('BUS_FULL', 'Cannot write: the server has no room', { retryable: true })
    return await act()
  }

  /** What is said without an answer. */
  const tell = (what: string, detail: string, act: () => void): void => link.send('out', () => { onDone(what, detail); act() })

  /** Entries as they come; a cut connection reads on from where it was. */
  function follow<Entry> (entries: (signal: AbortSignal) => AsyncIterable<Entry>, signal: AbortSignal, surely = true): AsyncIterable<Entry> {
    const over = new AbortController()
    const channel = new Channel<Entry>({ signals: [signal, closed.signal], onEnd: () => over.abort(left) })
    if (channel.isOver) return channel.read()
    const give = (entry: Entry): void => {
      const hear = (): void => host.hear(() => channel.push(entry))
      if (surely) link.surely('in', hear)
      else link.send('in', hear)
    }
    link.surely('out', () => void (async () => {
      for await (const entry of entries(over.signal)) if (host.state !== 'crashed') give(entry)
    })())
    return channel.read()
  }

  function connectLog (name: LogName): Log {
    const log = server.log[name]
    return {
      create: (key, bytes) => ask(`${name}.create`, key, () => full(() => log.create(key, bytes))),
      get: key => ask(`${name}.get`, key, () => log.get(key)),
      remove: (key, sequence) => ask(`${name}.remove`, key, () => log.remove(key, sequence)),
      follow: (prefix, signal, after) => follow(over => inner.log[name].follow(prefix, over, after), signal),
      place: reader => ask(`${name}.place`, reader, () => log.place(reader)),
      places: () => ask(`${name}.places`, '', () => log.places())
    }
  }

  function connectValues (name: Bucket): KeyValue {
    const values = server.kv[name]
    return {
      get: key => ask(`${name}.get`, key, () => values.get(key)),
      put: (key, bytes) => ask(`${name}.put`, key, () => values.put(key, bytes)),
      update: (key, bytes, revision) => ask(`${name}.update`, key, async () => {
        if (fates.strikes('conflict')) throw new SparError('BUS_CONFLICT', `Cannot write ${key} over revision ${revision}`)
        return await full(() => values.update(key, bytes, revision))
      }),
      remove: key => ask(`${name}.remove`, key, () => values.remove(key)),
      watch: (prefix, signal) => follow(over => inner.kv[name].watch(prefix, over), signal)
    }
  }

  function taken (message: QueueMessage): QueueMessage {
    const { subject, bytes, delivery } = message
    const detail = `${subject.run}.${subject.id}#${delivery}`
    return {
      subject, bytes, delivery,
      ack: () => ask('queue.ack', detail, async () => {
        await message.ack()
        // A server that crashed has lost what it had not yet written down.
        if (fates.strikes('resurrect')) time.at(time.now() + resurrectMs, () => void server.queue.add(subject, bytes).then(() => onDone('queue.resurrected', detail)))
      }),
      working: () => tell('queue.working', detail, () => message.working()),
      again: delayMs => tell('queue.again', detail, () => message.again(delayMs))
    }
  }

  async function pull (...[kind, arena, { waitMs, signal }]: Parameters<Bus['queue']['pull']>): Promise<QueueMessage | null> {
    if (signal.aborted || closed.signal.aborted) return null
    return await new Promise((resolve, reject) => {
      const given = new AbortController()
      let isLeft = false
      const end = (settle: () => void): void => {
        isLeft = true
        signal.removeEventListener('abort', leave)
        pulls.delete(leave)
        settle()
      }
      // What comes all the same is handed back.
      const leave = (): void => {
        link.send('out', () => given.abort(left))
        end(() => resolve(null))
      }
      signal.addEventListener('abort', leave)
      pulls.add(leave)
      const lost = (): void => { time.at(time.now() + waitMs + busLimits.pullMarginMs, () => host.hear(() => { if (!isLeft) end(() => reject(unavailable('pull'))) })) }
      link.send('out', () => void inner.queue.pull(kind, arena, { waitMs, signal: given.signal }).then(message => {
        if (message !== null) onDone('queue.pull', `${message.subject.run}.${message.subject.id}#${message.delivery}`)
        link.send('in', () => host.hear(() => {
          if (!isLeft) end(() => resolve(message && taken(message)))
          else if (message !== null) taken(message).again(0)
        }), lost)
      }), lost)
    })
  }

  return {
    kind: 'memory',
    valueBytesMax: inner.valueBytesMax,
    queue: {
      ackWaitMs: inner.queue.ackWaitMs,
      add: (subject, bytes) => ask('queue.add', `${subject.run}.${subject.id}`, () => full(() => server.queue.add(subject, bytes))),
      pull,
      depth: (kind, arena) => ask('queue.depth', kind, () => server.queue.depth(kind, arena)),
      subjects: run => ask('queue.subjects', run ?? '', () => server.queue.subjects(run)),
      purge: (run, kinds) => ask('queue.purge', run, () => server.queue.purge(run, kinds))
    },
    log: each(logs, connectLog),
    kv: each(buckets, connectValues),
    objects: {
      put: (name, bytes) => ask('objects.put', name, () => full(() => server.objects.put(name, bytes))),
      get: name => ask('objects.get', name, async () => {
        const bytes = await server.objects.get(name)
        return bytes !== null && fates.strikes('corrupt') ? bytes.map((byte, index) => index === 0 ? byte ^ 1 : byte) : bytes
      }),
      remove: name => ask('objects.remove', name, () => server.objects.remove(name))
    },
    signal: (topic, bytes) => tell('signal', topic, () => server.signal(topic, bytes)),
    signals: (prefix, signal) => follow(over => inner.signals(prefix, over), signal, false),
    wire: inner.wire,
    get isConnected () { return host.state === 'up' && !closed.signal.aborted && !link.isCut('in') && !link.isCut('out') },
    async close () {
      closed.abort(left)
      for (const leave of pulls) leave()
    }
  }
}
