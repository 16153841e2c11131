// A gateway for tests, over actors that are plain objects, and a browser's side of its WebSocket.

import type { Test } from 'tap'
import { WebSocket, type ClientOptions } from 'ws'
import { systemClock } from '../../src/clock.ts'
import { serveGateway, type Gateway, type GatewayOptions } from '../../src/inspect/gateway.ts'
import { ownNode } from '../../src/inspect/nodes.ts'
import { listenAt, type PageAddress } from '../../src/inspect/listening.ts'
import type { ClientMessage, ServerMessage } from '../../src/inspect/protocol.ts'
import { folderReaders } from '../../src/inspect/records/folder.ts'
import { createRegistry, type Known, type Look, type Registry } from '../../src/inspect/registry.ts'
import { createSource, type Source } from '../../src/inspect/source.ts'
import type { InspectLimits } from '../../src/inspect/limits.ts'

/** An actor whose snapshots are its states, and that says what was sent to it. */
export const plainLook = (sent: string[] = []): Look => ({ state: String, tags: () => [], context: () => null, children: () => [], acts: () => ['stop'], now: () => null, follow: () => () => {}, hear: () => () => {}, send: (_, event) => { sent.push(event) } })

export const enterPlain = (registry: Registry, id: string, look: Look = plainLook()): Known =>
  registry.enter({ name: id, within: '', machine: 'plain', id, run: null, episode: null, rollout: null, work: null }, look, null)

export async function sourceOf (t: Test, registry: Registry, limits: Partial<InspectLimits> = {}, dirs: string[] = []): Promise<Source> {
  const row = { node: registry.node, host: 'h', pid: 1, version: '0', state: 'serving', labels: {}, slots: [], arenas: [], refusals: [], delivered: {}, actors: null, startedAt: 0, seenAt: 0 }
  const nodes = await ownNode({ registry, machines: () => [], clock: systemClock, drain: null, limits }, () => row)
  const source = createSource({ kind: 'process', nodes, readers: folderReaders(dirs), machines: () => [], clock: systemClock, runs: null, around: async () => ({ queues: [], policies: [] }), limits })
  t.teardown(() => source.close())
  return source
}

export const testRegistry = (): Registry => createRegistry({ node: 'local', clock: systemClock })

export const nobodyActs: PageAddress['access'] = { token: null, actToken: null, actions: false }

export async function openGateway (t: Test, { access = nobodyActs, ...options }: Partial<GatewayOptions> & { source: Source; access?: PageAddress['access'] }): Promise<Gateway> {
  const gateway = serveGateway({ clock: systemClock, listening: await listenAt({ at: '127.0.0.1:0', option: '--listen', access }), version: '0', page: new Map([['/', { type: 'text/html', bytes: Buffer.from('<!doctype html>') }]]), ...options })
  t.teardown(() => gateway.close())
  return gateway
}

export interface Browser { socket: WebSocket; messages: ServerMessage[]; say (message: ClientMessage): void; /** Resolves to the first message, from the one asked for on, that fits. */ wait<Type extends ServerMessage['type']> (type: Type, fits?: (message: Extract<ServerMessage, { type: Type }>) => boolean): Promise<Extract<ServerMessage, { type: Type }>> }

/** Rejects with the status of a refusal. */
export async function openBrowser (t: Test, { port }: Gateway, options: ClientOptions = {}): Promise<Browser> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`, options)
  const messages: ServerMessage[] = []
  const waiting = new Set<() => void>()
  socket.on('message', data => {
    messages.push(JSON.parse((data as Buffer).toString('utf8')) as ServerMessage)
    for (const look of waiting) look()
  })
  t.teardown(() => socket.terminate())
  await new Promise<void>((resolve, reject) => { socket.once('open', () => resolve()); socket.once('error', reject) })
  return {
    socket, messages,
    say: message => socket.send(JSON.stringify(message)),
    wait: (type, fits = () => true) => new Promise((resolve, reject) => {
      const late = setTimeout(() => { waiting.delete(look); reject(new Error(`no message "${type}" came that fits; there are ${messages.map(({ type }) => type).join(', ')}`)) }, 20_000)
      const look = (): void => {
        const found = messages.find(message => message.type === type && fits(message as never))
        if (found === undefined) return
        clearTimeout(late)
        waiting.delete(look)
        resolve(found as never)
      }
      waiting.add(look)
      look()
    })
  }
}
