// The client's transport, with a lane beside its own way: what the bridge sends and hears is copied once on its way through,
// instead of three and more times (docs/decisions/0011-lane.md). Connecting, TLS and the end of a connection are the client's.

import { createConnection, type Socket } from 'node:net'
import { INFO } from 'nats/lib/nats-base-client/internal_mod.js'
import { NodeTransport } from 'nats/lib/src/node_transport.js'
import type { ConnectionOptions, ServerInfo } from 'nats'
import { Incoming } from './incoming.ts'
import { Outgoing } from './outgoing.ts'

/** Of one client over all its connections. */
export interface LaneState {
  /** Of the connection there is now. */
  outgoing: Outgoing | null
  lent: Set<string>
}

export interface LaneOptions extends ConnectionOptions { lane?: LaneState }

export class LaneTransport extends NodeTransport {
  #outgoing: Outgoing | null = null
  readonly #incoming = new Incoming(subject => this.#isLent(subject))

  override dial ({ hostname, port }: { hostname: string; port: number }): Promise<Socket> {
    return new Promise((resolve, reject) => {
      let dialError: unknown
      const socket = createConnection({ host: hostname, port, noDelay: true, onread: { buffer: () => this.#room(), callback: bytes => this.#took(bytes) } })
      socket.on('error', error => { dialError = error })
      socket.on('close', () => { socket.removeAllListeners(); reject(dialError as Error) })
      socket.on('connect', () => { socket.removeAllListeners(); resolve(socket) })
    })
  }

  /** The first line of the server, which the parser reads too. */
  override async peekInfo (): Promise<ServerInfo> {
    if (this.isEncrypted()) return await this.#peekEncrypted()
    const { socket } = this
    try {
      return await new Promise<ServerInfo>((resolve, reject) => {
        let peekError: unknown
        socket.on('error', error => { peekError = error })
        socket.on('close', () => reject(peekError as Error))
        void this.#incoming.first().then(bytes => resolve(readInfo(bytes))).catch(reject)
      })
    } finally {
      socket.removeAllListeners()
    }
  }

  async #peekEncrypted (): Promise<ServerInfo> {
    const info = await super.peekInfo()
    for (const bytes of this.yields.splice(0)) this.#incoming.add(bytes)
    return info
  }

  override setupHandlers (): void {
    super.setupHandlers()
    if (this.isEncrypted()) this.socket.removeAllListeners('data').on('data', (bytes: Uint8Array) => this.#incoming.add(bytes))
    const { lane } = this.options as LaneOptions
    this.#outgoing = new Outgoing(this.socket)
    if (lane !== undefined) lane.outgoing = this.#outgoing
    void this.closed().then(() => {
      this.#incoming.end()
      if (lane !== undefined && lane.outgoing === this.#outgoing) lane.outgoing = null
    })
  }

  override iterate (): AsyncIterableIterator<Uint8Array> {
    const pieces: AsyncIterableIterator<Uint8Array> = { next: () => this.#incoming.next(), [Symbol.asyncIterator]: () => pieces }
    return pieces
  }

  override send (frame: Uint8Array): void {
    this.#outgoing?.flush()
    super.send(frame)
  }

  #room (): Buffer { return this.#orEnd(() => this.#incoming.room()) ?? Buffer.allocUnsafeSlow(1) }

  #took (bytes: number): boolean { return this.#orEnd(() => { this.#incoming.took(bytes); return true }) ?? false }

  /** Null: the server sends what none may, and the connection ends. */
  #orEnd<Result> (call: () => Result): Result | null {
    try {
      return call()
    } catch (error) {
      this.socket.destroy(error as Error)
      return null
    }
  }

  /** Itself, or all below it. */
  #isLent (subject: string): boolean {
    const lent = (this.options as LaneOptions).lane?.lent
    return lent !== undefined && (lent.has(subject) || lent.has(subject.slice(0, subject.lastIndexOf('.'))))
  }
}

function readInfo (bytes: Uint8Array): ServerInfo {
  const info = INFO.exec(Buffer.from(bytes).toString('utf8'))
  if (info === null) throw new Error('unexpected response from server')
  return JSON.parse(info[1]!) as ServerInfo
}
