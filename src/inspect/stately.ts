// Stately's inspector: actors as events of the protocol of `@statelyai/inspect`, for receivers that connect to a WebSocket of this
// machine. Of every actor its state is told; of the machines that were changed last, up to `detailsMax`, also context and events.

import { createServer, type IncomingMessage } from 'node:http'
import { WebSocketServer, type WebSocket } from 'ws'
import { listen } from '../listen.ts'
import { isLoopback } from './access.ts'
import { topics, type ActorRow, type ActorsChange, type ActorsView, type ActorView, type EventLine, type MachineView, type StateNode, type Step, type Transition } from './protocol.ts'
import type { Source } from './source.ts'

export const statelyLimits = { receiversMax: 4, detailsMax: 32, bufferedBytesMax: 8 * 2 ** 20 }
/** The version of the protocol that this speaks. */
const version = '0.7.2'

export interface Stately { port: number; close (): Promise<void> }

/** On loopback alone. Throws INSPECT_HTTP. */
export async function serveStately (source: Source, machines: readonly MachineView[], port: number): Promise<Stately> {
  const definitions = new Map(machines.map(view => [view.machine, JSON.stringify(configOf(view))]))
  const server = createServer((_, response) => { response.writeHead(426); response.end() })
  const sockets = new WebSocketServer({ server, maxPayload: 1_024, perMessageDeflate: false, verifyClient: ({ req }: { req: IncomingMessage }) => sockets.clients.size < statelyLimits.receiversMax && isOurs(req.headers) })
  sockets.on('connection', socket => { void tell(socket, source, definitions) })
  const bound = await listen(server, { host: '127.0.0.1', port, code: 'INSPECT_HTTP', option: '--stately' })
  return {
    port: bound,
    async close () {
      for (const socket of sockets.clients) socket.terminate()
      await new Promise<void>(resolve => { server.close(() => resolve()); server.closeAllConnections() })
    }
  }
}

/** A page of this machine, whatever its port, or a program. */
const isOurs = ({ host, origin }: IncomingMessage['headers']): boolean => isHere(host) && (origin === undefined || isHere(hostOf(origin)))
const isHere = (host: string | undefined): boolean => host !== undefined && isLoopback(host.replace(/:\d+$/, ''))
const hostOf = (origin: string): string | undefined => URL.canParse(origin) ? new URL(origin).host : undefined

async function tell (socket: WebSocket, source: Source, definitions: ReadonlyMap<string, string>): Promise<void> {
  const over = new AbortController()
  const known = new Map<string, ActorRow>()
  const details = new Map<string, AbortController>()
  socket.on('close', () => over.abort())
  socket.on('error', () => socket.terminate())
  /** A receiver that does not keep up misses what it cannot take. */
  const send = (row: ActorRow, event: object): void => {
    if (socket.bufferedAmount < statelyLimits.bufferedBytesMax) socket.send(JSON.stringify({ ...event, rootId: rootOf(row, known), sessionId: row.key, createdAt: String(Date.now()), id: null, _version: version }))
  }
  const snapshot = (row: ActorRow, value: unknown, status: string, event: string | null, context: unknown): void =>
    send(row, { type: '@xstate.snapshot', event: { type: event ?? 'unknown' }, snapshot: { status, value, context, tags: row.tags, children: {} } })
  const follow = async (row: ActorRow, signal: AbortSignal): Promise<void> => {
    for await (const update of source.open(topics.actor(row.key), signal)) {
      const { steps, events } = ('full' in update ? update.full : update.change) as ActorView
      for (const event of events) send(row, { type: '@xstate.event', event: eventOf(event), sourceId: event.from ?? undefined })
      for (const step of steps) snapshot(row, valueOf(step.state), statusOf(step.status), step.event, contextOf(step))
    }
  }
  const take = (row: ActorRow): void => {
    const before = known.get(row.key)
    known.set(row.key, row)
    if (before === undefined) send(row, { type: '@xstate.actor', name: row.id, parentId: row.parent ?? undefined, definition: definitions.get(row.machine) ?? JSON.stringify({ id: row.machine }), snapshot: { status: statusOf(row.status), value: valueOf(row.state), context: {} } })
    else if (!details.has(row.key) && before.state !== row.state) snapshot(row, valueOf(row.state), statusOf(row.status), null, {})
    if (details.has(row.key) || row.status !== 'active' || !definitions.has(row.machine)) return
    const detail = new AbortController()
    details.set(row.key, detail)
    if (details.size > statelyLimits.detailsMax) drop(details.keys().next().value!)
    void follow(row, AbortSignal.any([over.signal, detail.signal])).catch(() => {})
  }
  const drop = (key: string): void => {
    details.get(key)?.abort()
    details.delete(key)
  }
  try {
    for await (const update of source.open(topics.actors, over.signal)) {
      const { rows, gone } = 'full' in update ? { ...update.full as ActorsView, gone: [] } : update.change as ActorsChange
      rows.forEach(take)
      for (const key of gone) { known.delete(key); drop(key) }
    }
  } catch {
    socket.close(1011, 'the source has ended')
  } finally { over.abort() }
}

function rootOf (row: ActorRow, known: ReadonlyMap<string, ActorRow>): string {
  let root = row
  for (let left = 20; left > 0 && root.parent !== null && known.has(root.parent); left--) root = known.get(root.parent)!
  return root.key
}

const statusOf = (status: ActorRow['status']): string => status === 'failed' ? 'error' : status

/** `{attending: 'serving'}` for `attending.serving`; several paths are parts of a parallel state. */
export function valueOf (state: string): unknown {
  const value: Record<string, unknown> = {}
  for (const path of state.split(' ')) {
    const keys = path.split('.')
    let at = value
    keys.forEach((key, index) => {
      if (index === keys.length - 1) at[key] ??= {}
      else at = (at[key] ??= {}) as Record<string, unknown>
    })
  }
  return plainest(value)
}

/** A single state without states below it is its name. */
function plainest (value: Record<string, unknown>): unknown {
  const entries = Object.entries(value)
  if (entries.length === 1 && Object.keys(entries[0]![1] as object).length === 0) return entries[0]![0]
  return Object.fromEntries(entries.map(([key, below]) => [key, plainest(below as Record<string, unknown>)]))
}

const contextOf = ({ context }: Step): unknown => {
  try {
    return JSON.parse(context.text)
  } catch {
    return { cut: context.text }
  }
}

function eventOf ({ event, data }: EventLine): object {
  try {
    return { ...data.text === '' ? {} : JSON.parse(data.text) as object, type: event }
  } catch {
    return { type: event, cut: data.text }
  }
}

/** As `createMachine` takes it, as far as it is drawn. */
export const configOf = ({ machine, root }: MachineView): object => ({ id: machine, ...stateConfig(root, machine) })

function stateConfig (state: StateNode, machine: string): object {
  const on: Record<string, object[]> = {}
  const add = ({ event, targets, guard, actions, reenter }: Transition): void => {
    (on[event] ??= []).push({ ...targets.length === 0 ? {} : { target: targets.map(target => `#${machine}.${target}`) }, ...guard === null ? {} : { guard }, ...actions.length === 0 ? {} : { actions }, ...reenter ? { reenter } : {} })
  }
  state.transitions.forEach(add)
  const { '': always, ...events } = on
  return {
    ...state.path === '' ? {} : { id: `${machine}.${state.path}` },
    ...state.type === 'final' || state.type === 'parallel' ? { type: state.type } : {},
    ...state.initial === null ? {} : { initial: state.initial.split('.').at(-1) },
    ...state.tags.length === 0 ? {} : { tags: state.tags }, ...state.entry.length === 0 ? {} : { entry: state.entry }, ...state.exit.length === 0 ? {} : { exit: state.exit },
    ...state.invokes.length === 0 ? {} : { invoke: state.invokes }, ...always === undefined ? {} : { always }, ...Object.keys(events).length === 0 ? {} : { on: events },
    ...state.states.length === 0 ? {} : { states: Object.fromEntries(state.states.map(child => [child.key, stateConfig(child, machine)])) }
  }
}
