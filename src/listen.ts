// An HTTP server that listens where its user said, or says which option to change.

import type { Server } from 'node:http'
import { SparError } from './errors.ts'

/** `option` is the one that `host` and `port` came by. Resolves to the port that it has; rejects with `code` where it cannot listen. */
export async function listen (server: Server, { host, port, code, option }: { host: string; port: number; code: string; option: string }): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(new SparError(code, `Cannot listen on ${shown(host)}:${port}: ${error.message}. Choose another address with ${option}`)))
    server.listen(port, host, resolve)
  })
  return (server.address() as { port: number }).port
}

/** A host as it stands in a URL. */
export const shown = (host: string): string => host.includes(':') ? `[${host}]` : host
