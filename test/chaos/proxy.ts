// A TCP proxy between one node and one server, that can be cut (connections end, new ones are refused) and stalled (nothing is
// passed on, and nobody is told), until it is restored.

import { connect, createServer, type Socket } from 'node:net'

export interface Proxy {
  readonly port: number
  cut (): void
  stall (): void
  restore (): void
  close (): Promise<void>
}

export async function startProxy (upstreamPort: number): Promise<Proxy> {
  const pairs = new Set<[Socket, Socket]>()
  let mode: 'open' | 'cut' | 'stalled' = 'open'

  const server = createServer(near => {
    if (mode === 'cut') { near.destroy(); return }
    const far = connect(upstreamPort, '127.0.0.1')
    const pair: [Socket, Socket] = [near, far]
    pairs.add(pair)
    for (const [from, to] of [[near, far], [far, near]] as const) {
      from.on('error', () => {})
      from.on('close', () => { pairs.delete(pair); to.destroy() })
      from.pipe(to)
    }
    if (mode === 'stalled') hold(pair)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }

  const hold = ([near, far]: [Socket, Socket]): void => {
    near.unpipe(far)
    far.unpipe(near)
    near.pause()
    far.pause()
  }
  const end = (): void => { for (const sockets of pairs) for (const socket of sockets) socket.destroy() }
  return {
    port,
    cut () { mode = 'cut'; end() },
    stall () {
      mode = 'stalled'
      for (const pair of pairs) hold(pair)
    },
    restore () {
      if (mode === 'stalled') for (const [near, far] of pairs) { near.pipe(far); far.pipe(near) }
      mode = 'open'
    },
    async close () {
      end()
      await new Promise<void>(resolve => server.close(() => resolve()))
    }
  }
}
