// The NATS of a chaos run: one real nats-server, or a cluster of three, each with a store that outlives it.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'nats'
import { freePort } from '../helpers/nats-server.ts'
import { killDaemon, startDaemon, until, type Daemon } from './processes.ts'

/** How long a server may take to be ready on a busy machine. */
const readyMsMax = 60_000

export interface NatsServer {
  readonly name: string
  readonly port: number
  readonly url: string
  readonly store: string
  readonly isAlive: boolean
  pid (): number
  kill (signal?: NodeJS.Signals): Promise<void>
  /** On the same port and store. */
  start (): Promise<void>
}

export interface ServersOptions { binary: string; folder: string; size: 1 | 3; /** As `sync_interval` takes it; null: the server's default. */ sync: string | null; storeOf?: (name: string) => string }

export async function startServers ({ binary, folder, size, sync, storeOf = name => join(folder, name) }: ServersOptions): Promise<NatsServer[]> {
  const names = Array.from({ length: size }, (_, index) => `nats${index + 1}`)
  const ports = await Promise.all(names.map(() => freePort()))
  const routes = await Promise.all(names.map(() => freePort()))
  mkdirSync(folder, { recursive: true })
  const servers = names.map((name, index) => serverOf({ name, binary, folder, store: storeOf(name), port: ports[index]!, config: [
    `server_name: ${name}`,
    `listen: "127.0.0.1:${ports[index]!}"`,
    `jetstream { store_dir: ${JSON.stringify(storeOf(name))}, max_file_store: 64GB${sync === null ? '' : `, sync_interval: ${sync}`} }`,
    // Clients keep to the addresses that they were given: each leads through a proxy.
    ...(size === 1 ? [] : [`cluster { name: chaos, no_advertise: true, listen: "127.0.0.1:${routes[index]!}", routes: [${routes.map(port => `"nats://127.0.0.1:${port}"`).join(', ')}] }`])
  ] }))
  await Promise.all(servers.map(server => server.start()))
  await untilJetStream(servers)
  return servers
}

export interface ServerFiles { name: string; binary: string; folder: string; store: string; port: number; config: string[] }

export function serverOf ({ name, binary, folder, store, port, config }: ServerFiles): NatsServer {
  const file = join(folder, `${name}.conf`)
  const log = join(folder, `${name}.log`)
  mkdirSync(store, { recursive: true })
  writeFileSync(file, `${config.join('\n')}\n`)
  writeFileSync(log, '')
  let daemon: Daemon | null = null
  return {
    name, port, store,
    url: `nats://127.0.0.1:${port}`,
    get isAlive () { return daemon?.isAlive === true },
    pid: () => daemon!.pid,
    async kill (signal = 'SIGKILL') { if (daemon !== null) await killDaemon(daemon, signal) },
    async start () {
      const before = readFileSync(log, 'utf8').length
      const starting = startDaemon(name, binary, ['-c', file], { log, cwd: folder })
      daemon = starting
      await until(`${name}, ready`, readyMsMax, () => {
        const said = readFileSync(log, 'utf8').slice(before)
        if (!starting.isAlive) throw new Error(`${name} ended: ${said.slice(-2_000)}`)
        return said.includes('Server is ready')
      })
    }
  }
}

/** A cluster takes a moment to find its leader. */
async function untilJetStream (servers: readonly NatsServer[]): Promise<void> {
  const nc = await connect({ servers: servers.map(({ url }) => url) })
  try {
    const jsm = await nc.jetstreamManager({ checkAPI: false })
    await until('JetStream', readyMsMax, async () => await jsm.getAccountInfo().then(() => true, () => false))
  } finally { await nc.close() }
}
