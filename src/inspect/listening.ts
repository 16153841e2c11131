// The address of a page, listened on before there is anything to show: a command finds out that it is taken, or not allowed, before
// it makes anything. Until the page is served it answers 503.

import { createServer, type RequestListener, type Server } from 'node:http'
import { SparError } from '../errors.ts'
import { listen } from '../listen.ts'
import { checkAccess, type AccessOptions } from './access.ts'
import { securityHeaders } from './page-files.ts'

/** `at` is `host:port`; port 0: any. `option`: the one that it came by. */
export interface PageAddress { at: string; option: '--listen' | '--inspect'; access: Omit<AccessOptions, 'host' | 'port'> }

export interface Listening {
  server: Server
  access: AccessOptions
  /** Whoever answers from now on. */
  serve (answer: RequestListener): void
  close (): Promise<void>
}

/** Throws OPTION_INVALID, OPTION_MISSING and INSPECT_HTTP. */
export async function listenAt ({ at, option, access }: PageAddress): Promise<Listening> {
  const { host, port } = readAddress(at)
  checkAccess({ ...access, host })
  let answer: RequestListener = (_, response) => {
    response.writeHead(503, { ...securityHeaders, 'content-type': 'application/json', 'retry-after': '1' })
    response.end(`${JSON.stringify({ error: { code: 'INSPECT_NOT_READY', message: 'There is nothing to show yet' } })}\n`)
  }
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => answer(request, response))
  const bound = await listen(server, { host, port, code: 'INSPECT_HTTP', option })
  return {
    server, access: { ...access, host, port: bound },
    serve (given) { answer = given },
    close: () => new Promise(resolve => { server.close(() => resolve()); server.closeAllConnections() })
  }
}

/** `host:port`, `[::1]:port` or a port alone. Throws OPTION_INVALID. */
export function readAddress (at: string): { host: string; port: number } {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^\s:/]+)):)?(\d{1,5})$/.exec(at)
  if (match === null || Number(match[3]) > 65_535) throw new SparError('OPTION_INVALID', `Cannot use "${at}" as an address of the page: it takes host:port, such as 127.0.0.1:8322`)
  return { host: match[1] ?? match[2] ?? '127.0.0.1', port: Number(match[3]) }
}
