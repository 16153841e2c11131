// A wire between a client and a server that can be cut, stalled and mended.

import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface TcpProxy {
  port: number
  url: string
  /** Ends what is connected; nobody gets through any more. */
  cut (): void
  /** Keeps what is connected, and lets nothing through. */
  stall (): void
  restore (): void
}

export async function startProxy (t: Test, to: number): Promise<TcpProxy> {
  let state: 'open' | 'cut' | 'stalled' = 'open'
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    if (state === 'cut') { client.destroy(); return }
    const upstream = connect(to, '127.0.0.1')
    for (const [from, other] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(from)
      from.on('data', bytes => { other.write(bytes) })
      from.on('error', () => {})
      from.on('close', () => { sockets.delete(from); other.destroy() })
      if (state === 'stalled') from.pause()
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const proxy: TcpProxy = {
    port,
    url: `nats://127.0.0.1:${port}`,
    cut () {
      state = 'cut'
      for (const socket of sockets) socket.destroy()
    },
    stall () {
      state = 'stalled'
      for (const socket of sockets) socket.pause()
    },
    restore () {
      state = 'open'
      for (const socket of sockets) socket.resume()
    }
  }
  t.teardown(async () => {
    proxy.cut()
    await new Promise(resolve => server.close(resolve))
  })
  return proxy
}
