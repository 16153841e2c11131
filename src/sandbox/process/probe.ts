// Which isolation works here: tried for real, since what a kernel, a distribution or a container forbids cannot be read
// anywhere. From the strictest down; what failed says why.

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { SparError, toPlain } from '../../errors.ts'
import { currentOwner } from '../owner.ts'
import { openSession } from '../session.ts'
import { resolveLimits } from '../limits.ts'
import { ProcessHost, removeFolder, type Shared } from './host.ts'
import type { Isolation } from './launch.ts'
import { LayerStore } from './layers.ts'
import { bashVersion, bashVersionMin, isBashNewEnough } from './tools.ts'

export interface IsolationReport {
  isolation: Isolation
  overlay: boolean
  /** Version of the cgroups that hold memory, pids and cpu; null where none can be made. */
  cgroups: 1 | 2 | null
  /** Why stricter isolations were passed over, in the order tried. */
  refused: { isolation: string; reason: string }[]
}

type Choice = Pick<Shared, 'isolation' | 'overlay' | 'asRoot' | 'userNamespace'>
type Common = Omit<Shared, keyof Choice>

const overlays = [{ volatile: true }, { volatile: false }, null]

function missingPrograms (isolation: Isolation, shared: Common): string[] {
  const { tools } = shared
  const isRoot = process.getuid?.() === 0
  const needed = isolation === 'bubblewrap'
    ? { bwrap: tools.bwrap, unshare: tools.unshare, mount: tools.mount, ...(isRoot ? { setpriv: tools.setpriv } : {}) }
    : { unshare: tools.unshare, mount: tools.mount, umount: tools.umount, pivot_root: tools.pivotRoot, setpriv: tools.setpriv }
  return Object.entries(needed).filter(([, path]) => path === null).map(([name]) => name)
}

/** Opens a sandbox over a tree of one file and looks whether it can be read and written. */
async function tryChoice (shared: Shared, folder: string): Promise<void> {
  const own = mkdtempSync(join(folder, '.probe-'))
  const arena = { id: `probe-${own.slice(-6)}`, dir: join(own, 'arena'), mounts: [], path: [], env: {} }
  mkdirSync(join(arena.dir, 'tree'), { recursive: true })
  writeFileSync(join(arena.dir, 'tree', 'file'), 'probe\n')
  const sandboxFolder = join(own, 'sandbox')
  mkdirSync(sandboxFolder)
  const spec = { arena: arena as never, view: 'tree' as const, network: 'none' as const, label: { run: '', purpose: 'probe' } }
  const lease = { id: 'probe', run: '', purpose: 'probe', owner: currentOwner(), openedAt: shared.clock.now(), process: null, cgroups: [] }
  const host = new ProcessHost({ ...shared, layers: new LayerStore(join(own, 'layers'), shared.tools) }, { folder: sandboxFolder, spec, limits: resolveLimits(), lease, group: null })
  try {
    await host.prepare()
    const session = await openSession(host, shared.clock)
    try {
      const result = await session.exec('read -r word <file && echo more >>file && echo "$word"', { timeoutMs: 10_000, outputBytesMax: 1024 })
      if (Buffer.from(result.output).toString() !== 'probe\n') throw new SparError('SANDBOX_LOST', `it answered ${JSON.stringify(Buffer.from(result.output).toString())}`)
    } finally { await session.destroy() }
  } finally { await removeFolder(own) }
}

/** The strictest choice that works, or the one asked for; with `none` nothing is tried. */
export async function chooseIsolation (wanted: 'auto' | Isolation, common: Common, cgroups: IsolationReport['cgroups'], folder: string): Promise<{ choice: Choice; report: IsolationReport }> {
  const isRoot = process.getuid?.() === 0
  const refused: IsolationReport['refused'] = []
  const candidates: Isolation[] = process.platform !== 'linux' ? [] : wanted === 'auto' ? ['bubblewrap', 'namespaces'] : wanted === 'none' ? [] : [wanted]
  for (const isolation of candidates) {
    const missing = missingPrograms(isolation, common)
    if (missing.length > 0) {
      refused.push({ isolation, reason: `not installed: ${missing.join(', ')}` })
      continue
    }
    for (const userNamespace of isRoot && isolation === 'namespaces' ? [true, false] : [true]) {
      for (const overlay of overlays) {
        const choice: Choice = { isolation, overlay, asRoot: isRoot, userNamespace }
        try {
          await tryChoice({ ...common, ...choice }, folder)
          return { choice, report: { isolation, overlay: overlay !== null, cgroups, refused } }
        } catch (error) {
          refused.push({ isolation: [isolation, overlay === null ? 'without overlay' : '', userNamespace ? '' : 'without user namespace'].filter(Boolean).join(' '), reason: toPlain(error).message })
        }
      }
    }
  }
  if (wanted !== 'auto' && wanted !== 'none') throw new SparError('SANDBOX_NO_ISOLATION', `Cannot isolate sandboxes with ${wanted} on this host: ${refused.at(-1)?.reason ?? 'only Linux has it'}. Ask for "auto" to take what works`, { data: { refused } })
  return { choice: { isolation: 'none', overlay: null, asRoot: false, userNamespace: false }, report: { isolation: 'none', overlay: false, cgroups, refused } }
}

/** Bash is the one program without which there is no sandbox. */
export function assertBash (bash: string | null): void {
  const version = bash === null ? null : bashVersion(bash)
  if (version === null) throw new SparError('SANDBOX_NO_BASH', 'Cannot open sandboxes: there is no bash on this host. Install it, commands run in it')
  if (isBashNewEnough(version)) return
  throw new SparError('SANDBOX_OLD_BASH', `Cannot open sandboxes: ${bash} is bash ${version}, and commands need ${bashVersionMin} or later. Install a newer one and put its folder in PATH`, { data: { bash, version } })
}
