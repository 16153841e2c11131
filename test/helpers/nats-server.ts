// A real nats-server for a test, with a store of its own: it can be killed, started again on the same port and store, and
// paused. Where there is none, the test is skipped with a reason.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { testFolder } from './test-folder.ts'

export interface ServerKind { name: string; path: string }

/** Debian's (PATH), and a current one that SPAR_TEST_NATS_SERVER names. */
export function natsServers (): ServerKind[] {
  const kinds: ServerKind[] = []
  for (const path of ['nats-server', process.env['SPAR_TEST_NATS_SERVER']]) {
    if (path === undefined) continue
    const said = spawnSync(path, ['--version'], { encoding: 'utf8' })
    if (said.status === 0) kinds.push({ name: /v?(\d+\.\d+\.\d+)/.exec(said.stdout + said.stderr)?.[1] ?? path, path })
  }
  return kinds
}

/** Why there is nothing to test with, or false. Both are wanted where CI runs. */
export function skipWithoutNats (): string | false {
  const found = natsServers().length
  if (process.env['CI'] === 'true' && found < 2) return 'CI wants two servers: nats-server on the PATH and SPAR_TEST_NATS_SERVER'
  return found === 0 ? 'there is no nats-server on the PATH' : false
}

export interface NatsServer {
  url: string
  port: number
  store: string
  pid (): number
  kill (signal?: NodeJS.Signals): Promise<void>
  /** Stops it where it is; resolves when none of its threads runs any more. */
  pause (): Promise<void>
  resume (): void
  /** On the same port and store. */
  start (): Promise<void>
}

export interface ServerOptions { kind: ServerKind; config?: string; /** Default: synced with every write. */ syncInterval?: string; folder?: string; port?: number; name?: string; jetStream?: boolean }

export async function startNats (t: Test, { kind, config = '', syncInterval = 'always', folder = testFolder(t), port, name = 'spar-test', jetStream = true }: ServerOptions): Promise<NatsServer> {
  const at = port ?? await freePort()
  const store = join(folder, 'store')
  const file = join(folder, 'nats.conf')
  mkdirSync(store, { recursive: true })
  writeFileSync(file, `server_name: "${name}"\nlisten: "127.0.0.1:${at}"\n${jetStream ? `jetstream { store_dir: ${JSON.stringify(store)}, max_file_store: 64GB${withSync(kind, syncInterval)} }\n` : ''}${config}\n`)
  let child: ChildProcess | null = null
  const server: NatsServer = {
    url: `nats://127.0.0.1:${at}`,
    port: at,
    store,
    pid: () => child!.pid!,
    async kill (signal = 'SIGKILL') {
      const running = child
      if (running === null || running.exitCode !== null || running.signalCode !== null) return
      const gone = new Promise(resolve => running.once('exit', resolve))
      running.kill('SIGCONT')
      running.kill(signal)
      await gone
      child = null
    },
    async pause () {
      child!.kill('SIGSTOP')
      while (!isStopped(child!.pid!)) await sleep(5)
    },
    resume () { child!.kill('SIGCONT') },
    async start () {
      const starting = spawn(kind.path, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] })
      child = starting
      await serverReady(starting)
    }
  }
  t.teardown(() => server.kill())
  await server.start()
  return server
}

/** 2.9 knows no sync_interval. */
const withSync = ({ name }: ServerKind, interval: string): string => name.startsWith('2.9') ? '' : `, sync_interval: ${interval}`

/** A signal to stop reaches the threads one after the other, and those that run go on until then. */
function isStopped (pid: number): boolean {
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.every(thread => readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8').split(') ')[1]!.startsWith('T'))
}

/** Rejects with what the server said when it ends instead. Reads its standard error. */
export async function serverReady (server: ChildProcess): Promise<void> {
  let said = ''
  await new Promise<void>((resolve, reject) => {
    server.once('exit', code => reject(new Error(`nats-server ended with ${code}: ${said}`)))
    server.stderr!.on('data', (bytes: Buffer) => {
      said = (said + bytes.toString()).slice(-20_000)
      if (said.includes('Server is ready')) resolve()
    })
  })
}

export async function freePort (): Promise<number> {
  const probe = createServer()
  await new Promise<void>(resolve => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise(resolve => probe.close(resolve))
  return port
}

