// A server with the configuration that deploy/nats ships, and the keys that its script makes. Only the addresses are those of a
// test, and a server that does not know sync_interval is not asked for it.

import { execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { connectNats, type NatsOptions } from '../../src/bus/nats.ts'
import type { Bus } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import { freePort, serverReady, type ServerKind } from './nats-server.ts'
import { testFolder } from './test-folder.ts'

export type Role = 'operator' | 'node' | 'submitter' | 'watcher' | 'trainer'

export interface ShippedServer {
  port: number
  /** The folder that the script made. */
  keys: string
  /** Closed when the test is over. */
  connect (role: Role, options?: Partial<NatsOptions>): Promise<Bus>
}

export const makeKeys = (folder: string, ...options: string[]): string => execFileSync('deploy/nats/make-keys.sh', [folder, ...options], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

/** One server with nats.conf. */
export async function startShipped (t: Test, kind: ServerKind, ...options: string[]): Promise<ShippedServer> {
  const keys = join(testFolder(t), 'keys')
  makeKeys(keys, ...options)
  const port = await freePort()
  adapt(join(keys, 'server'), kind, text => text.replace('0.0.0.0:4222', `127.0.0.1:${port}`))
  await startServer(t, kind, join(keys, 'server', 'nats.conf'))
  return { port, keys, connect: connector(t, keys, [`nats://127.0.0.1:${port}`]) }
}

/** Three with cluster.conf, as three machines would have it: the same but for the name. */
export async function startShippedCluster (t: Test, kind: ServerKind): Promise<ShippedServer> {
  const folder = testFolder(t)
  const ports = [await freePort(), await freePort(), await freePort()]
  const routes = [await freePort(), await freePort(), await freePort()]
  const keys = join(folder, 'keys')
  makeKeys(keys, '--hosts', 'one.test,two.test,three.test')
  const original = readFileSync(join(keys, 'server', 'cluster.conf'), 'utf8')
  const common = readFileSync(join(keys, 'server', 'common.conf'), 'utf8')
  await Promise.all(ports.map(async (port, index) => {
    const name = `cluster-${index}`
    writeFileSync(join(keys, 'server', `${name}-common.conf`), common.replace(/store_dir: .*/, `store_dir: "${join(folder, name)}"`))
    adapt(join(keys, 'server'), kind, text => text, `${name}-common.conf`)
    writeFileSync(join(keys, 'server', `${name}.conf`), original.replace('./common.conf', `./${name}-common.conf`))
    adapt(join(keys, 'server'), kind, text => text.replace('0.0.0.0:4222', `127.0.0.1:${port}`).replace('0.0.0.0:6222', `127.0.0.1:${routes[index]}`)
      .replace(/routes: .*/, `routes: [${routes.map(route => `"nats-route://127.0.0.1:${route}"`).join(', ')}]`), `${name}.conf`)
    await startServer(t, kind, join(keys, 'server', `${name}.conf`), { SPAR_NATS_NAME: name })
  }))
  return { port: ports[0]!, keys, connect: connector(t, keys, ports.map(port => `nats://127.0.0.1:${port}`)) }
}

function adapt (folder: string, { name }: ServerKind, change: (text: string) => string, only?: string): void {
  for (const file of readdirSync(folder).filter(file => only === undefined || file === only)) {
    const text = change(readFileSync(join(folder, file), 'utf8')).replace(/^http: .*$/m, '')
    writeFileSync(join(folder, file), name.startsWith('2.9') ? text.replace(/^ *sync_interval: .*$/m, '') : text)
  }
}

async function startServer (t: Test, kind: ServerKind, config: string, env: Record<string, string> = {}): Promise<void> {
  const child = spawn(kind.path, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
  t.teardown(async () => { child.kill('SIGKILL'); await gone })
  await serverReady(child)
}

function connector (t: Test, keys: string, servers: string[]): ShippedServer['connect'] {
  return async (role, options = {}) => {
    const bus = await connectNats({ servers, name: role, clock: systemClock, nkey: join(keys, 'keys', `${role}.nk`), tls: { ca: join(keys, 'tls', 'ca.pem') }, ackWaitMs: 2_000, ...options })
    t.teardown(() => bus.close())
    return bus
  }
}
