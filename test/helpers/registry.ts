// A registry of npm and Python packages with one package, `thing`, that fails in a way of one's choice. It answers on this
// machine only, from the process of the test.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** `torn`: the archive is not what the index states. `corrupt`: it is, and no archive. */
export type Breakage = 'status 500' | 'hangs' | 'nonsense' | 'torn' | 'corrupt'

export interface Registry { /** What npm and pip read. */ env: Record<string, string>; close (): Promise<void> }

const json = 'application/vnd.pypi.simple.v1+json'
const archive = Buffer.from('no archive at all')

export async function openRegistry (breakage: Breakage, cache: string): Promise<Registry> {
  let base = ''
  const send = (response: ServerResponse, body: unknown): void => { response.setHeader('content-type', json).end(JSON.stringify(body)) }
  const server = createServer(({ url = '' }, response) => {
    if (breakage === 'hangs') return
    if (breakage === 'status 500') return void response.writeHead(500).end('{"error":"broken"}')
    if (breakage === 'nonsense') return void response.setHeader('content-type', json).end('<<<')
    if (/\.t(ar\.)?gz$/.test(url)) return void response.end(breakage === 'torn' ? archive.subarray(3) : archive)
    send(response, url.startsWith('/simple/') ? pythonPage(base) : npmPage(base))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    env: {
      npm_config_registry: `${base}/`, npm_config_cache: cache, npm_config_fetch_retries: '0', npm_config_fetch_timeout: '1000', PIP_INDEX_URL: `${base}/simple`, PIP_TIMEOUT: '1',
      http_proxy: '', HTTP_PROXY: '', https_proxy: '', HTTPS_PROXY: ''
    },
    async close () {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    }
  }
}

const pythonPage = (base: string): unknown =>
  ({ files: [{ filename: 'thing-1.0.tar.gz', url: `${base}/thing-1.0.tar.gz`, hashes: { sha256: createHash('sha256').update(archive).digest('hex') } }] })

function npmPage (base: string): unknown {
  const dist = { tarball: `${base}/thing-1.0.0.tgz`, integrity: `sha512-${createHash('sha512').update(archive).digest('base64')}` }
  return { name: 'thing', 'dist-tags': { latest: '1.0.0' }, time: { '1.0.0': '2024-01-01T00:00:00.000Z' }, versions: { '1.0.0': { name: 'thing', version: '1.0.0', dist } } }
}
