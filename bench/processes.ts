// Processes of the benches: a real nats-server, and what else they start. Nothing that was started stays, however a bench ends.

import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, natsServers, serverReady } from '../test/helpers/nats-server.ts'

const children = new Set<ChildProcess>()
const folders = new Set<string>()
const remove = (folder: string): void => { rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }) }
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of folders) remove(folder)
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

export function started (program: string, args: string[], output: 'ignore' | 'pipe', errors: 'inherit' | 'pipe'): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', output, errors] })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

export interface BenchServer { url: string; pid: number; stop (): Promise<void> }

/** The server that SPAR_TEST_NATS_SERVER names, else that of the PATH. */
export function benchServer (): { version: string; path: string; /** 2.9 cannot sync with every write. */ knowsSync: boolean } {
  const kind = natsServers().at(-1)
  if (kind === undefined) throw new Error('there is no nats-server on the PATH, and SPAR_TEST_NATS_SERVER names none')
  return { version: kind.name, path: kind.path, knowsSync: !kind.name.startsWith('2.9') }
}

export async function startServer (sync: 'default' | 'always'): Promise<BenchServer> {
  const { path, knowsSync } = benchServer()
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'spar-bench-'))
  folders.add(folder)
  const interval = sync === 'always' && knowsSync ? ', sync_interval: always' : ''
  writeFileSync(join(folder, 'nats.conf'), `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${folder}/store", max_file_store: 64GB${interval} }\n`)
  const child = started(path, ['-c', join(folder, 'nats.conf')], 'ignore', 'pipe')
  await serverReady(child)
  return {
    url: `nats://127.0.0.1:${port}`,
    pid: child.pid!,
    async stop () {
      const gone = new Promise(resolve => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
      remove(folder)
      folders.delete(folder)
    }
  }
}
