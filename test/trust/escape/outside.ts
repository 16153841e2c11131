// A host with something to reach: servers on its addresses, sockets, a secret in a home. Whoever gets through is counted.

import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { homedir, networkInterfaces } from 'node:os'
import { join } from 'node:path'

import type { Outside } from './attacks.ts'

export interface Host extends Outside {
  /** Connections that were made to its servers. */
  reached (): number
  /** What its secret says now; untouched it is `word`. */
  readSecret (): string
  word: string
  close (): Promise<void>
}

export async function openHost (folder: string): Promise<Host> {
  let reached = 0
  const servers: Server[] = []
  const listen = async (at: object): Promise<Server> => {
    const server = createServer(socket => { reached++; socket.end('ESCAPED\n') })
    server.listen(at)
    await once(server, 'listening')
    servers.push(server)
    return server
  }
  const { port } = (await listen({ host: '::', port: 0 })).address() as { port: number }
  const name = `spar-escape-${process.pid}-${randomBytes(4).toString('hex')}`
  const socket = join(folder, 'host.sock')
  await listen({ path: socket })
  await listen({ path: `\0${name}` })
  const secret = join(homedir(), `.${name}`)
  const word = randomBytes(12).toString('hex')
  writeFileSync(secret, word)
  const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? []).map(({ address, family, scopeid }) => family === 'IPv6' && scopeid ? '' : address).filter(address => address !== '')
  return {
    addresses, port, socket, abstractName: name, secret, pid: process.pid, word,
    reached: () => reached,
    readSecret: () => readFileSync(secret, 'utf8'),
    async close () {
      for (const server of servers) { server.close(); await once(server, 'close') }
      rmSync(secret, { force: true })
    }
  }
}
