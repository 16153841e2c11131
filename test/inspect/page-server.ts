// A small real server for the page: its files under the strictest policy, and a WebSocket that plays values of the protocol. What
// the page does with them is tested here; that nodes say such things is tested with the gateway itself.

import { createServer, type Server } from 'node:http'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Action, ClientMessage, Hello, ServerMessage } from '../../src/inspect/protocol.ts'

const folder = fileURLToPath(new URL('../../src/inspect/page/', import.meta.url))
export const readPageFile = (name: 'index.html' | 'app.css' | 'app.js'): string => readFileSync(folder + name, 'utf8')

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
const files: Record<string, [name: Parameters<typeof readPageFile>[0], type: string]> = { '/': ['index.html', 'text/html'], '/app.css': ['app.css', 'text/css'], '/app.js': ['app.js', 'text/javascript'] }

export interface PageServer {
  url: string
  actions: Action[]
  /** Topics that are open now. */
  open (): string[]
  set (topic: string, value: unknown): void
  /** Sends a change to whoever has the topic open. */
  change (topic: string, change: unknown): void
  /** Ends every connection and takes none until `start`. */
  stop (): Promise<void>
  start (): Promise<void>
}

export async function startPageServer (hello: Hello, values: Record<string, unknown>): Promise<PageServer> {
  const kept = new Map(Object.entries(values))
  const opened = new Map<WebSocket, Map<number, string>>()
  const actions: Action[] = []
  let server: Server | null = null
  let port = 0
  let seq = 0
  const send = (socket: WebSocket, message: ServerMessage): void => socket.send(JSON.stringify(message))
  const full = (socket: WebSocket, id: number, topic: string): void => kept.has(topic)
    ? send(socket, { type: 'full', id, seq: ++seq, value: kept.get(topic) })
    : send(socket, { type: 'failed', id, error: { code: 'INSPECT_NOT_FOUND', message: `Cannot show ${topic}: nobody knows it` } })
  const each = (topic: string, tell: (socket: WebSocket, id: number) => void): void => {
    for (const [socket, ids] of opened) for (const [id, name] of ids) if (name === topic) tell(socket, id)
  }

  function greet (socket: WebSocket): void {
    const ids = new Map<number, string>()
    opened.set(socket, ids)
    socket.on('close', () => opened.delete(socket))
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as ClientMessage
      if (message.type === 'close') ids.delete(message.id)
      if (message.type === 'act') { actions.push(message.action); send(socket, { type: 'acted', id: message.id, error: null }) }
      if (message.type === 'open') { ids.set(message.id, message.topic); full(socket, message.id, message.topic) }
    })
    send(socket, hello)
  }

  async function start (): Promise<void> {
    const listening = server = createServer((request, response) => {
      const file = files[request.url!.split('?')[0]!]
      response.writeHead(file ? 200 : 404, { 'content-security-policy': policy, 'content-type': file?.[1] ?? 'text/plain' })
      response.end(file ? readPageFile(file[0]) : '')
    })
    new WebSocketServer({ server, path: '/socket' }).on('connection', greet)
    await new Promise<void>(resolve => listening.listen(port, '127.0.0.1', resolve))
    port = (listening.address() as AddressInfo).port
  }

  await start()
  return {
    url: `http://127.0.0.1:${port}/`,
    actions,
    open: () => [...opened.values()].flatMap(ids => [...ids.values()]),
    set: (topic, value) => { kept.set(topic, value); each(topic, (socket, id) => full(socket, id, topic)) },
    change: (topic, change) => each(topic, (socket, id) => send(socket, { type: 'change', id, seq: ++seq, change })),
    async stop () {
      for (const socket of opened.keys()) socket.terminate()
      server!.closeAllConnections()
      await new Promise(resolve => server!.close(resolve))
    },
    start
  }
}
