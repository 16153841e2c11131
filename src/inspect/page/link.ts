// The connection to whoever serves the page: topics are opened while somebody shows them, and opened again after the connection
// was lost, for as long as it takes. In a report there is no connection: values are read from the page itself.
//
// L1. A value stays while the connection is away: the page says that it is not live.
// L2. Listeners are told once a frame at most, however fast the server speaks.

import { reportElement, type Action, type Failure, type Hello, type Report, type ServerMessage } from '../protocol.ts'
import { foldOf, type Fold } from './fold.ts'

export type LinkState =
  | { kind: 'connecting' }
  | { kind: 'live' }
  /** `sinceAt`, `nextAt`: by the browser's clock. */
  | { kind: 'lost'; sinceAt: number; nextAt: number }
  | { kind: 'report' }

/** What is known of a topic. `value` undefined: nothing came yet. */
export interface Held { value: unknown; failure: Failure | null; /** Changes that were left out. */ lag: number }

export interface Link {
  state (): LinkState
  hello (): Hello | null
  /** Milliseconds since 1970 by the server's clock. */
  now (): number
  held (topic: string): Held
  /** Opens the topic; the function that comes back lets it go. */
  open (topic: string, listener: () => void): () => void
  /** Told when the connection changes. */
  watch (listener: () => void): () => void
  act (action: Action): Promise<Failure | null>
  retryNow (): void
}

const retryMs = 500
const retryMsMax = 10_000
/** A topic is kept open for this long after the last view has let it go: whoever goes back finds it. */
const lingerMs = 3_000
const againMs = 2_000
const actMsMax = 15_000

interface Topic { name: string; id: number; fold: Fold; held: Held; listeners: Set<() => void>; linger: number | undefined; again: number | undefined }

export function createLink (): Link {
  const element = document.getElementById(reportElement)
  return element === null ? openLink() : reportLink(JSON.parse(element.textContent ?? '') as Report)
}

function reportLink ({ hello, values, leftOut }: Report): Link {
  const missing = (topic: string): Failure =>
    ({ code: 'REPORT_LEFT_OUT', message: `This report does not hold ${topic}${leftOut > 0 ? `: ${leftOut} things would have made it too large` : ''}. Everything is in the folder of the run: spar inspect --run <folder>` })
  return {
    state: () => ({ kind: 'report' }),
    hello: () => hello,
    now: () => hello.now,
    held: topic => Object.hasOwn(values, topic) ? { value: values[topic], failure: null, lag: 0 } : { value: undefined, failure: missing(topic), lag: 0 },
    open: () => () => {},
    watch: () => () => {},
    act: async () => ({ code: 'ACT_DENIED', message: 'A report takes no actions' }),
    retryNow: () => {}
  }
}

function openLink (): Link {
  const topics = new Map<string, Topic>()
  const byId = new Map<number, Topic>()
  const acts = new Map<number, (failure: Failure | null) => void>()
  const watchers = new Set<() => void>()
  const told = new Set<() => void>()
  let socket: WebSocket | null = null
  let state: LinkState = { kind: 'connecting' }
  let hello: Hello | null = null
  let ahead = 0
  let nextId = 1
  let tries = 0
  let retry: number | undefined

  function connect (): void {
    clearTimeout(retry)
    const url = new URL('socket', location.href)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    url.hash = ''
    url.search = ''
    const opened = socket = new WebSocket(url)
    opened.onmessage = ({ data }) => { if (opened === socket) receive(JSON.parse(data as string) as ServerMessage) }
    opened.onclose = () => { if (opened === socket) lose() }
  }

  function lose (): void {
    const sinceAt = state.kind === 'lost' ? state.sinceAt : Date.now()
    const waitMs = Math.min(retryMs * 2 ** tries++, retryMsMax)
    socket = null
    byId.clear()
    for (const answer of acts.values()) answer({ code: 'LINK_LOST', message: 'The connection was lost: whether it was done is not known' })
    acts.clear()
    state = { kind: 'lost', sinceAt, nextAt: Date.now() + waitMs }
    retry = window.setTimeout(connect, waitMs)
    tellAll(watchers)
  }

  function receive (message: ServerMessage): void {
    if (message.type === 'hello') return greet(message)
    if (message.type === 'acted') {
      acts.get(message.id)?.(message.error)
      acts.delete(message.id)
      return
    }
    const topic = byId.get(message.id)
    if (!topic) return
    if (message.type === 'full') topic.fold.full(message.value)
    if (message.type === 'change') topic.fold.change(message.change)
    if (message.type === 'failed') fail(topic, message.error)
    else if (message.type === 'lag') topic.held = { ...topic.held, lag: message.count }
    else topic.held = { value: topic.fold.value(), failure: null, lag: topic.held.lag }
    tellAll(topic.listeners)
  }

  /** What is not there may come: it is asked for again as long as somebody shows it. */
  function fail (topic: Topic, failure: Failure): void {
    byId.delete(topic.id)
    topic.held = { ...topic.held, failure }
    clearTimeout(topic.again)
    topic.again = window.setTimeout(() => { if (topic.listeners.size > 0 && state.kind === 'live') ask(topic) }, againMs)
  }

  function greet (message: Hello): void {
    hello = message
    ahead = message.now - Date.now()
    tries = 0
    state = { kind: 'live' }
    for (const topic of topics.values()) ask(topic)
    tellAll(watchers)
  }

  function ask (topic: Topic): void {
    clearTimeout(topic.again)
    topic.id = nextId++
    byId.set(topic.id, topic)
    send({ type: 'open', id: topic.id, topic: topic.name })
  }

  function send (message: unknown): void {
    if (state.kind === 'live') socket?.send(JSON.stringify(message))
  }

  /** L2. */
  function tellAll (listeners: Set<() => void>): void {
    if (told.size === 0 && listeners.size > 0) requestAnimationFrame(tell)
    for (const listener of listeners) told.add(listener)
  }

  function tell (): void {
    const now = [...told]
    told.clear()
    for (const listener of now) listener()
  }

  function open (name: string, listener: () => void): () => void {
    let topic = topics.get(name)
    if (!topic) {
      topic = { name, id: 0, fold: foldOf(name), held: { value: undefined, failure: null, lag: 0 }, listeners: new Set(), linger: undefined, again: undefined }
      topics.set(name, topic)
      if (state.kind === 'live') ask(topic)
    }
    const opened = topic
    clearTimeout(opened.linger)
    opened.listeners.add(listener)
    return () => {
      opened.listeners.delete(listener)
      told.delete(listener)
      if (opened.listeners.size === 0) opened.linger = window.setTimeout(() => close(opened), lingerMs)
    }
  }

  function close (topic: Topic): void {
    if (topic.listeners.size > 0) return
    clearTimeout(topic.again)
    topics.delete(topic.name)
    byId.delete(topic.id)
    send({ type: 'close', id: topic.id })
  }

  function act (action: Action): Promise<Failure | null> {
    if (state.kind !== 'live') return Promise.resolve({ code: 'LINK_LOST', message: 'There is no connection' })
    const id = nextId++
    return new Promise(resolve => {
      const timer = setTimeout(() => {
        acts.delete(id)
        resolve({ code: 'ACT_TIMEOUT', message: `There was no answer within ${actMsMax / 1000} s` })
      }, actMsMax)
      acts.set(id, failure => {
        clearTimeout(timer)
        resolve(failure)
      })
      send({ type: 'act', id, action })
    })
  }

  connect()
  return {
    state: () => state,
    hello: () => hello,
    now: () => Date.now() + ahead,
    held: name => topics.get(name)?.held ?? { value: undefined, failure: null, lag: 0 },
    open,
    watch (listener) {
      watchers.add(listener)
      return () => { watchers.delete(listener) }
    },
    act,
    retryNow: () => { if (socket === null) connect() }
  }
}
