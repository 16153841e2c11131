// The nodes of a chaos run: real `spar node` processes, each with a home of its own and a proxy to every server.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { killDaemon, startDaemon, until, type Daemon } from './processes.ts'
import { startProxy, type Proxy } from './proxy.ts'
import type { NatsServer } from './servers.ts'

export const sparMain = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))

/** How long a node may take to join on a busy machine. */
const readyMsMax = 120_000
/** How long a supervisor waits before it starts a node again that ended by itself. */
const supervisorRestMs = 500

export interface ChaosNode {
  readonly name: string
  readonly home: string
  readonly sandbox: SandboxKind
  readonly log: string
  /** Where its processes put what is temporary. */
  readonly temporary: string
  readonly proxies: readonly Proxy[]
  readonly isAlive: boolean
  readonly isStarting: boolean
  /** Of every process that it was. */
  readonly pids: ReadonlySet<number>
  pid (): number
  signal (signal: NodeJS.Signals): void
  kill (): Promise<void>
  /** SIGTERM, and what it ends with. */
  drain (): Promise<number | null>
  start (): Promise<void>
  close (): Promise<void>
}

export type SandboxKind = 'process' | 'docker'
export interface NodesOptions { folder: string; count: number; servers: readonly NatsServer[]; sandbox: SandboxKind; slots: string; drainMs: number; reapMs: number; nats: readonly string[] }

export async function startNodes (options: NodesOptions): Promise<ChaosNode[]> {
  const nodes = await Promise.all(Array.from({ length: options.count }, (_, index) => nodeOf(options, `n${index + 1}`)))
  await Promise.all(nodes.map(node => node.start()))
  return nodes
}

async function nodeOf ({ folder, servers, sandbox, slots, drainMs, reapMs, nats }: NodesOptions, name: string): Promise<ChaosNode> {
  const home = join(folder, name)
  const log = join(folder, `${name}.log`)
  const temporary = join(home, 'tmp')
  mkdirSync(temporary, { recursive: true })
  writeFileSync(log, '')
  const proxies = await Promise.all(servers.map(({ port }) => startProxy(port)))
  const pids = new Set<number>()
  let daemon: Daemon | null = null
  let isStarting = false
  const urls = proxies.map(({ port }) => `nats://127.0.0.1:${port}`).join(',')
  const args = [sparMain, 'node', '--name', name, '--nats', urls, ...nats, '--sandbox', sandbox, '--slots', slots, '--drain-ms', String(drainMs), '--reap-ms', String(reapMs), '--http', 'off', '--json']
  return {
    name, home, sandbox, log, temporary, proxies, pids,
    get isAlive () { return daemon?.isAlive === true },
    get isStarting () { return isStarting },
    pid: () => daemon!.pid,
    signal: signal => daemon?.signal(signal),
    async kill () { if (daemon !== null) await killDaemon(daemon) },
    async drain () {
      if (daemon === null) return null
      if (daemon.isAlive) daemon.signal('SIGTERM')
      return await daemon.exited
    },
    async start () {
      const before = countReady(log)
      isStarting = true
      const launch = (): Daemon => {
        const starting = startDaemon(name, process.execPath, args, { log, cwd: home, env: { SPAR_HOME: home, TMPDIR: temporary } })
        pids.add(starting.pid)
        daemon = starting
        return starting
      }
      let starting = launch()
      let restAt = 0
      await until(`${name}, ready`, readyMsMax, () => {
        // A node that meets no bus when it starts ends, and whoever supervises it starts it again.
        if (!starting.isAlive && restAt === 0) restAt = Date.now() + supervisorRestMs
        if (restAt > 0 && Date.now() > restAt) { starting = launch(); restAt = 0 }
        return countReady(log) > before
      }).finally(() => { isStarting = false })
    },
    async close () {
      if (daemon !== null) await killDaemon(daemon)
      await Promise.all(proxies.map(proxy => proxy.close()))
    }
  }
}

const countReady = (log: string): number => readFileSync(log, 'utf8').split('"type":"ready"').length
