// A power cut under the store. The store lies on an ext4 of its own in a file, mounted as a loop device; at one instant that file
// system is shut down without its log and its dirty pages being written (the kernel's own ioctl for this, as file system tests
// use it): what is in the file is what a disk would hold. The server is killed, the file mounted again, a server started from
// it, and everything asked for that was confirmed before the cut. Without syncing some of it has to be missing: else the probe
// proves nothing.

import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectNats } from '../../src/bus/nats.ts'
import type { Bus } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import { sleep } from './processes.ts'
import { startServers } from './servers.ts'

export interface PowerCut { sync: string; confirmed: number; missing: string[]; total: Record<string, number> }

const imageBytes = 512 * 2 ** 20
/** EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: from here on nothing reaches the disk. */
const cutScript = 'import fcntl, os, struct, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack("I", 2))'
const writersPerKind = 4
const valueBytes = 2_000
const objectBytes = 200_000
/** How long writers write before the cut. */
const writeMs = 3_000

/** Why it cannot be done here, or null. */
export function powerCutRefusal (): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'a loop device takes root on Linux'
  for (const [tool, ...args] of [['mkfs.ext4', '-V'], ['losetup', '--version'], ['python3', '--version']]) {
    try { execFileSync(tool!, args, { stdio: 'ignore' }) } catch { return `it takes ${tool!}` }
  }
  return null
}

/** `sync` as `sync_interval` takes it; null: the server's default. */
export async function cutPower ({ binary, folder, sync }: { binary: string; folder: string; sync: string | null }): Promise<PowerCut> {
  const image = join(folder, 'disk.img')
  const place = join(folder, 'disk')
  mkdirSync(place, { recursive: true })
  execFileSync('truncate', ['-s', String(imageBytes), image])
  execFileSync('mkfs.ext4', ['-q', '-F', image])
  const mount = (): void => { execFileSync('mount', ['-o', 'loop', image, place]) }
  const unmount = (): void => { execFileSync('umount', [place]) }
  mount()
  let isMounted = true
  const [server] = await startServers({ binary, folder, size: 1, sync, storeOf: () => join(place, 'store') })
  try {
    const confirmed = await writeUntilCut(server!.url, () => execFileSync('python3', ['-c', cutScript, place]))
    await server!.kill()
    unmount()
    isMounted = false
    mount()
    isMounted = true
    // A sandbox that was made meanwhile has the old mount in its namespace, and while it lives the file system stays shut down.
    for (let tries = 0; !isWritable(place) && tries < remountsMax; tries++) {
      unmount()
      await sleep(remountMs)
      mount()
    }
    await server!.start()
    return { sync: sync ?? 'default', confirmed: confirmed.length, ...await askFor(server!.url, confirmed) }
  } finally {
    await server!.kill()
    if (isMounted) unmount()
  }
}

const remountMs = 500
const remountsMax = 120

function isWritable (folder: string): boolean {
  try {
    writeFileSync(join(folder, 'probe'), '')
    rmSync(join(folder, 'probe'))
    return true
  } catch { return false }
}

interface Confirmed { name: string; isThere (bus: Bus): Promise<boolean> }

/** What was confirmed before the cut began. */
async function writeUntilCut (url: string, cut: () => void): Promise<Confirmed[]> {
  // Ensures the streams, which are confirmed too.
  const bus = await connectNats({ servers: [url], name: 'power-cut', clock: systemClock })
  const confirmed: Confirmed[] = []
  let isCut = false
  const writer = async (kind: keyof typeof writers, index: number): Promise<void> => {
    for (let number = 0; !isCut; number++) {
      const written = await writers[kind](bus, `${kind}-${index}-${number}`).catch(() => null)
      if (written === null) return
      if (!isCut) confirmed.push(written)
    }
  }
  const writing = (Object.keys(writers) as (keyof typeof writers)[]).flatMap(kind => Array.from({ length: writersPerKind }, (_, index) => writer(kind, index)))
  await sleep(writeMs)
  isCut = true
  cut()
  // Who still waits for an answer is told that there is none.
  await bus.close()
  await Promise.allSettled(writing)
  return confirmed
}

const value = (name: string, bytes: number): Uint8Array => Buffer.alloc(bytes, name)
const same = (one: Uint8Array | null | undefined, other: Uint8Array): boolean => one !== null && one !== undefined && Buffer.compare(one, other) === 0

const writers = {
  async record (bus: Bus, name: string): Promise<Confirmed> {
    await bus.log.records.create(`cut.${name}`, value(name, valueBytes))
    return { name, isThere: async later => same(await later.log.records.get(`cut.${name}`), value(name, valueBytes)) }
  },
  async sample (bus: Bus, name: string): Promise<Confirmed> {
    await bus.log.samples.create(`cut.${name}`, value(name, valueBytes))
    return { name, isThere: async later => same(await later.log.samples.get(`cut.${name}`), value(name, valueBytes)) }
  },
  async snapshot (bus: Bus, name: string): Promise<Confirmed> {
    await bus.kv.episodes.update(`cut.${name}`, value(name, valueBytes), 0)
    return { name, isThere: async later => same((await later.kv.episodes.get(`cut.${name}`))?.bytes, value(name, valueBytes)) }
  },
  async object (bus: Bus, name: string): Promise<Confirmed> {
    await bus.objects.put(name, value(name, objectBytes))
    return { name, isThere: async later => same(await later.objects.get(name), value(name, objectBytes)) }
  },
  async work (bus: Bus, name: string): Promise<Confirmed> {
    const subject = { kind: 'rollout', arena: 'a', run: 'cut', id: name } as const
    await bus.queue.add(subject, value(name, valueBytes))
    return { name, isThere: async later => await later.queue.add(subject, value(name, valueBytes)) === 'present' }
  }
}

async function askFor (url: string, confirmed: readonly Confirmed[]): Promise<Pick<PowerCut, 'missing' | 'total'>> {
  const bus = await connectNats({ servers: [url], name: 'power-cut', clock: systemClock })
  try {
    const missing: string[] = []
    const total: Record<string, number> = {}
    for (const { name, isThere } of confirmed) {
      const kind = name.split('-')[0]!
      total[kind] = (total[kind] ?? 0) + 1
      if (!await isThere(bus).catch(() => false)) missing.push(name)
    }
    return { missing, total }
  } finally { await bus.close() }
}
