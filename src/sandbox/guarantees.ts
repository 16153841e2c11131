// What sandboxes guarantee on this machine, for `spar doctor`. Nothing is read from a configuration: sandboxes are opened and
// what a guarantee forbids is tried in them. Names are stable: programs read them.

import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { Arena } from '../domain.ts'
import { toPlain } from '../errors.ts'
import type { ExecResult, Sandbox, SandboxLimits, Sandboxes } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import { diskLookMs } from './limits.ts'

/** In the order in which they are shown. */
export const guarantees = {
  'no-network': 'commands reach no network',
  'host-files-hidden': 'files of this machine are out of sight, but for programs',
  'host-processes-hidden': 'processes of this machine are out of sight',
  'own-user': 'commands run as another user than Spar',
  'no-capabilities': 'commands have no capability',
  'no-new-privileges': 'no program gives them more',
  'no-namespaces': 'they can make no namespace, in which they would have capabilities',
  seccomp: 'a filter of system calls is loaded',
  'memory-limit': 'memory ends at a limit',
  'process-limit': 'the number of processes ends at a limit',
  'cpu-limit': 'processor time ends at a share',
  'file-limit': 'the size of a file ends at a limit',
  'disk-limit': 'what is held of the disk ends at a limit',
  'own-kernel': 'the kernel below is not that of this machine'
} as const

export type GuaranteeName = keyof typeof guarantees
/** Null: it could not be told. */
export type Answers = Record<GuaranteeName, boolean | null>

const commandMsMax = 20_000
const outputBytesMax = 64 * 2 ** 10
const mebi = 2 ** 20
/** Small enough to be reached in a moment; a runtime with a kernel of its own has threads that count. */
const small: Partial<SandboxLimits> = { memoryBytes: 128 * mebi, pids: 192, fileBytes: mebi, diskBytes: 16 * mebi }
/** Less than a very busy machine gives to the twin that spins at the same time. */
const slow: Partial<SandboxLimits> = { cpus: 0.02 }
const slowRatioMax = 0.5

/** Opens sandboxes and tries; `home` is a folder of this machine that no sandbox may see. */
export async function probeGuarantees (sandboxes: Sandboxes, home: string): Promise<Answers> {
  mkdirSync(home, { recursive: true })
  const folder = mkdtempSync(join(home, '.probe-'))
  const opened: Sandbox[] = []
  try {
    const secret = join(folder, 'secret')
    writeFileSync(secret, 'secret')
    const open = async (limits?: Partial<SandboxLimits>): Promise<Sandbox> => {
      const sandbox = await sandboxes.open({ arena: emptyArena(folder), view: 'empty', network: 'none', label: { run: '', purpose: 'probe' }, ...(limits === undefined ? {} : { limits }) })
      opened.push(sandbox)
      return sandbox
    }
    const plain = await open()
    return { ...await look(plain, secret), 'cpu-limit': await tryProcessor(await open(slow), plain), ...await tryLimits(() => open(small)) }
  } finally {
    await Promise.all(opened.map(sandbox => sandbox.destroy()))
    await rm(folder, { recursive: true, force: true })
  }
}

function emptyArena (dir: string): Arena {
  return {
    id: `probe-${randomBytes(6).toString('hex')}`, target: 'probe', name: 'probe', commit: '', tree: '', image: null, imagePath: null, dir, ecosystem: 'node', runner: 'custom', testCommand: null,
    mounts: [], path: [], env: {}, testFiles: [], commits: 0
  }
}

const exec = async (sandbox: Sandbox, command: string): Promise<ExecResult> => await sandbox.exec(command, { timeoutMs: commandMsMax, outputBytesMax })
const textOf = ({ output }: ExecResult): string => Buffer.from(output).toString()

// ---- what is seen ---------------------------------------------------------------------------------------------------

const lookScript = (secret: string): string => `
echo "uid $(id -u)"
echo "map $(head -n 1 /proc/self/uid_map)"
grep -E '^(CapEff|CapPrm|NoNewPrivs|Seccomp):' /proc/self/status
echo "devices $(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ' | tr '\\n' ' ')"
echo "processes $(readlink /proc/self/ns/pid)"
echo "version $(cat /proc/version)"
echo "boot $(cat /proc/sys/kernel/random/boot_id)"
for path in ${shellQuote(secret)} /run/docker.sock /var/run/docker.sock /var/lib/docker; do [ -e "$path" ] && echo "host $path"; done
unshare --user true
echo "unshare $?"`

async function look (sandbox: Sandbox, secret: string): Promise<Omit<Answers, 'cpu-limit' | LimitName>> {
  const seen = new Map<string, string>()
  for (const line of textOf(await exec(sandbox, `(${lookScript(secret)}\n) 2>/dev/null`)).split('\n')) {
    const [, name, value] = /^(\w+):?\s*(.*)$/.exec(line) ?? []
    if (name !== undefined) seen.set(name, value!.trim())
  }
  const says = (name: string, holds: (value: string) => boolean): boolean | null => {
    const value = seen.get(name)
    return value === undefined ? null : holds(value)
  }
  const isZero = (value: string): boolean => /^0+$/.test(value)
  return {
    'no-network': says('devices', value => value === '' || value === 'lo'),
    'host-files-hidden': !seen.has('host'),
    'host-processes-hidden': says('processes', value => value !== linkOf('/proc/self/ns/pid')),
    'own-user': says('uid', value => hostId(Number(value), seen.get('map') ?? '', sandbox.kind) !== process.getuid?.()),
    'no-capabilities': says('CapEff', isZero) && says('CapPrm', isZero),
    'no-new-privileges': says('NoNewPrivs', value => value === '1'),
    'no-namespaces': says('unshare', value => value !== '0'),
    seccomp: says('Seccomp', value => value === '2'),
    'own-kernel': says('version', value => value !== textAt('/proc/version') || seen.get('boot') !== textAt('/proc/sys/kernel/random/boot_id'))
  }
}

const linkOf = (path: string): string => { try { return readlinkSync(path) } catch { return '' } }
const textAt = (path: string): string => { try { return readFileSync(path, 'utf8').trim() } catch { return '' } }

/** The id on this machine. Whoever is no root can only give its own, under whatever name. */
function hostId (inside: number, map: string, kind: Sandbox['kind']): number {
  const own = process.getuid?.() ?? 0
  if (kind === 'process' && own !== 0) return own
  const [first = 0, outside = 0] = map.trim().split(/\s+/).map(Number)
  return outside + inside - first
}

// ---- what is tried --------------------------------------------------------------------------------------------------

type LimitName = 'memory-limit' | 'process-limit' | 'file-limit' | 'disk-limit'

/** Within this a sandbox that outgrew its disk limit is noticed, on a busy engine too. */
const noticedMs = 12 * diskLookMs

/** Each leaves the sandbox to the next: what still runs goes with its shell. Null: the limit took the whole sandbox along, which is then another. */
async function tryLimits (open: () => Promise<Sandbox>): Promise<Record<LimitName, boolean>> {
  const { fileBytes, pids, diskBytes } = small as SandboxLimits
  let sandbox = await open()
  const attempt = async (command: string): Promise<ExecResult | null> => {
    try {
      return await exec(sandbox, command)
    } catch (error) {
      if (toPlain(error).code !== 'SANDBOX_LOST') throw error
      sandbox = await open()
      return null
    }
  }
  await attempt(`head -c ${3 * fileBytes} /dev/zero >large`)
  const size = Number(textOf(await exec(sandbox, 'stat -c %s large; rm -f large')))
  const forks = await attempt(`/bin/sh -c 'i=0; while [ $i -lt ${2 * pids} ]; do sleep 9 & i=$((i+1)); echo $i; done' 2>/dev/null; exit 0`)
  const memory = await attempt(`head -c ${4 * small.memoryBytes!} /dev/zero | tail -n 1 >/dev/null`)
  const files = Math.ceil(4 * diskBytes / (fileBytes / 2))
  const disk = await attempt(`for i in $(seq ${files}); do head -c ${fileBytes / 2} /dev/zero >file$i || exit 1; done; sleep ${noticedMs / 1000}`)
  const started = forks === null ? 1 : Number(textOf(forks).trim().split('\n').at(-1))
  return {
    'file-limit': size > 0 && size <= fileBytes,
    'process-limit': started > 0 && started < pids,
    // Who was killed was a child of the shell: not every kind can say by whom.
    'memory-limit': memory === null || memory.killed === 'memory' || memory.exitCode === 137,
    'disk-limit': disk === null || disk.exitCode !== 0
  }
}

/** Both spin at the same time, so that a busy machine is busy for both. */
async function tryProcessor (slowed: Sandbox, plain: Sandbox): Promise<boolean> {
  const spin = async (sandbox: Sandbox): Promise<number> => {
    const before = secondsOf(textOf(await exec(sandbox, 'times')))
    return secondsOf(textOf(await exec(sandbox, 'SECONDS=0; while ((SECONDS < 2)); do :; done; times'))) - before
  }
  const [bounded, free] = await Promise.all([spin(slowed), spin(plain)])
  return bounded < free * slowRatioMax
}

/** User and system time of the shell: the first line that `times` prints. */
function secondsOf (times: string): number {
  return [...times.split('\n')[0]!.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds), 0)
}

// ---- what it would take ---------------------------------------------------------------------------------------------

const walls = 'bubblewrap, or user namespaces for ordinary users; or --sandbox docker'
const groups = 'control groups that Spar may make: as root, or in a scope of its own (systemd-run --user --scope -p Delegate=yes); or --sandbox docker'
const kernel = 'a runtime with a kernel of its own, --runtime runsc (gVisor) or kata (virtual machines): docs/threat-model.md'
const engine = 'an engine that is not rootless, or one with control groups delegated to it'

const takes: Record<Sandbox['kind'], Partial<Record<GuaranteeName, string>>> = {
  process: {
    'no-network': walls, 'host-files-hidden': walls, 'host-processes-hidden': walls, 'no-capabilities': walls, 'no-new-privileges': walls, 'no-namespaces': walls,
    'own-user': 'Spar run as root, which gives commands an id of their own',
    seccomp: 'bubblewrap',
    'memory-limit': groups, 'process-limit': groups, 'cpu-limit': groups,
    'own-kernel': `--sandbox docker with ${kernel}`
  },
  docker: {
    'own-user': 'Spar run as root, which gives commands an id of their own; or an engine with userns-remap',
    seccomp: 'an engine with its default seccomp profile',
    'memory-limit': engine, 'process-limit': engine, 'cpu-limit': engine,
    'own-kernel': kernel
  }
}

/** For a guarantee that does not hold. */
export const whatItTakes = (kind: Sandbox['kind'], name: GuaranteeName): string => takes[kind][name] ?? 'no setting of Spar: see docs/threat-model.md'
