// How a shell is started in each isolation, as one command line. Two scripts run before what a model wrote: `setup` makes
// the view (mounts, in a private mount namespace, so that they vanish with the last process), `keeper` waits for the shell.
//
// Who is who:
//   Spar is an ordinary user: a user namespace in which it may mount; inside of it a second one, without capabilities, for
//     the shell. On the host everything is that user.
//   Spar is root: mounts are made as root; the shell becomes an id of its own (layers.ts). The keeper stays another id, out
//     of the shell's reach.
// The keeper is the first process of its pid namespace: the kernel shields it from signals of those that are in it.
// A shell can make no further namespaces: bubblewrap loads a filter of system calls (seccomp.ts); elsewhere the shell's own
// user namespace has its count of them set to zero.

import { dirname, join, relative } from 'node:path'

import type { SandboxSpec } from '../../ports.ts'
import { shellQuote } from '../../quote.ts'
import { keeperScript } from '../frame.ts'
import { insideId, rootModeId, scratchPath, treePath } from '../system.ts'
import { devices, type Base } from './base.ts'
import type { HostTools } from './tools.ts'

/** In the environment of a sandbox's processes, by which they are found; an isolated shell does not have it any more. */
export const markName = 'SPAR_SANDBOX'

export type Isolation = 'bubblewrap' | 'namespaces' | 'none'

export interface LaunchPlan {
  isolation: Isolation
  asRoot: boolean
  /** `namespaces` as root: whether the shell gets a user namespace; not where the host allows none, and then it can make none either. */
  userNamespace: boolean
  tools: HostTools
  base: Base
  /** The sandbox's folder on the host. */
  folder: string
  /** `overlay`: over folders that the base has names for, topmost first; `folder`: the folder `tree` as it is. */
  view: { kind: 'overlay'; lower: string[]; work: string; volatile: boolean } | { kind: 'folder' }
  network: SandboxSpec['network']
  /** Host folders seen read-only at the same path. */
  mounts: string[]
  /** Of the shell, whole: what a tracer or a test runner adds to every spawn of this process stays outside. */
  env: Record<string, string>
  /** Files of control groups that everything below the first process is in. */
  cgroupProcs: string[]
}

export interface CommandLine { file: string; args: string[]; env: Record<string, string> }

const quoteAll = (words: string[]): string => words.map(shellQuote).join(' ')
const bareShell = (tools: HostTools): string[] => [tools.bash!, '--noprofile', '--norc']

/** Words that become the shell without capabilities, from root that can still change its identity. */
function dropFromRoot (tools: HostTools): string[] {
  return [tools.setpriv!, `--reuid=${rootModeId}`, `--regid=${rootModeId}`, '--clear-groups', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all', '--', ...bareShell(tools)]
}

/** The same through a user namespace of its own, in which no more can be made. */
function dropByNamespace (plan: LaunchPlan): string[] {
  const { tools } = plan
  const last = [tools.setpriv!, '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all', '--', ...bareShell(tools)]
  const inner = `echo 0 >/proc/sys/user/max_user_namespaces; exec ${quoteAll(last)}`
  const identity = plan.asRoot ? [tools.setpriv!, `--reuid=${rootModeId}`, `--regid=${rootModeId}`, '--clear-groups', '--'] : []
  return [...identity, tools.unshare!, '--user', `--map-user=${insideId}`, `--map-group=${insideId}`, '--keep-caps', '--', tools.sh, '-c', inner]
}

function overlayOptions (plan: LaunchPlan): string {
  if (plan.view.kind !== 'overlay') return ''
  const own = relative(plan.base.folder, plan.folder)
  const flags = [plan.view.volatile ? ',volatile' : '', plan.asRoot ? '' : ',userxattr'].join('')
  return `lowerdir=${plan.view.lower.join(':')},upperdir=${join(own, 'upper')},workdir=${join(own, plan.view.work)}${flags}`
}

/** For the shell that writes them: what a joined process starts is in its control groups from the beginning. */
const joinLines = (plan: LaunchPlan): string[] => plan.cgroupProcs.map(file => `echo 0 >${shellQuote(file)} || exit`)

/** Setup runs in the base's folder: overlay's options then need no path of the host, whatever characters it has. */
function setupLines (plan: LaunchPlan): string[] {
  return [
    'set -e',
    `cd -- ${shellQuote(plan.base.folder)}`
  ]
}

// ---- bubblewrap -----------------------------------------------------------------------------------------------------

function bwrapWords (plan: LaunchPlan): string[] {
  const { base, folder } = plan
  const identity = plan.asRoot
    ? ['--cap-drop', 'ALL', '--cap-add', 'CAP_SETUID', '--cap-add', 'CAP_SETGID', '--cap-add', 'CAP_SETPCAP']
    : ['--unshare-user', '--uid', String(insideId), '--gid', String(insideId)]
  const tree = plan.view.kind === 'overlay' ? base.merged : join(folder, 'tree')
  return [
    plan.tools.bwrap!, ...clearedEnvironment(plan), ...identity,
    '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try', ...(plan.network === 'none' ? ['--unshare-net'] : []),
    '--hostname', 'spar', '--die-with-parent', '--new-session', '--as-pid-1',
    ...base.systemMounts.flatMap(path => ['--ro-bind', path, path]),
    ...base.links.flatMap(link => ['--symlink', link.target, link.path]),
    '--ro-bind', plan.network === 'none' ? base.etc : base.etcNetwork, '/etc',
    '--proc', '/proc',
    '--dev', '/dev', '--dir', '/run', '--dir', '/var',
    '--bind', join(folder, 'tmp'), '/tmp', '--symlink', '../tmp', '/var/tmp',
    ...parentsOf(plan.mounts).flatMap(path => ['--dir', path]),
    ...plan.mounts.flatMap(path => ['--ro-bind', path, path]),
    '--bind', join(folder, 'scratch'), scratchPath,
    '--bind', tree, treePath,
    '--remount-ro', '/', '--chdir', treePath, '--seccomp', '6', '--',
    plan.tools.sh, '-c', keeperScript(quoteAll(plan.asRoot ? dropFromRoot(plan.tools) : bareShell(plan.tools)), [markName])
  ]
}

/** Where bubblewrap can set an environment; `env` is a program more to start. */
function clearedEnvironment (plan: LaunchPlan): string[] {
  return plan.tools.bwrapClears ? ['--clearenv', ...Object.entries(plan.env).flatMap(([name, value]) => ['--setenv', name, value])] : []
}

/** Every folder above the given ones, outermost first: bubblewrap would make them for its own user only. */
function parentsOf (paths: string[]): string[] {
  const parents = new Set<string>()
  for (const path of paths) {
    for (let folder = dirname(path); folder !== '/'; folder = dirname(folder)) parents.add(folder)
  }
  return [...parents].sort()
}

function bubblewrap (plan: LaunchPlan): string[] {
  const { tools } = plan
  const overlay = plan.view.kind === 'overlay' ? [`${shellQuote(tools.mount!)} -cin -t overlay -o ${overlayOptions(plan)} overlay merged`] : []
  const script = [...joinLines(plan), ...setupLines(plan), ...overlay, `exec ${quoteAll(bwrapWords(plan))} 6<${shellQuote(plan.base.seccomp)}`].join('\n')
  const user = plan.asRoot ? [] : ['--user', '--map-root-user']
  return [tools.unshare!, ...user, '--mount', '--propagation', 'private', '--', tools.sh, '-c', script]
}

// ---- namespaces -----------------------------------------------------------------------------------------------------

const encodeField = (path: string): string => path.replace(/[\\ \t\n#]/g, char => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)

/** All mounts as one table, in order: one process makes them all. */
export function mountTable (plan: LaunchPlan): string {
  const at = (path: string): string => join(plan.base.root, path)
  const bind = (from: string, to: string, flags: string): string[] => [from, at(to), 'none', `bind,${flags}`]
  const rows: string[][] = [
    ...plan.base.systemMounts.map(path => bind(path, path, 'ro,nosuid,nodev')),
    bind(plan.network === 'none' ? plan.base.etc : plan.base.etcNetwork, '/etc', 'ro,nosuid,nodev'),
    ['proc', at('/proc'), 'proc', 'nosuid,nodev,noexec'],
    ...devices.map(name => bind(`/dev/${name}`, `/dev/${name}`, 'nosuid')),
    ['devpts', at('/dev/pts'), 'devpts', 'newinstance,ptmxmode=0666,mode=620,nosuid,noexec'],
    ['tmpfs', at('/dev/shm'), 'tmpfs', 'mode=1777,nosuid,nodev'],
    bind(join(plan.folder, 'tmp'), '/tmp', 'nosuid,nodev'),
    bind(join(plan.folder, 'tmp'), '/var/tmp', 'nosuid,nodev'),
    ...plan.mounts.map(path => bind(path, path, 'ro,nosuid,nodev')),
    bind(join(plan.folder, 'scratch'), scratchPath, 'nosuid,nodev'),
    plan.view.kind === 'overlay'
      ? ['overlay', at(treePath), 'overlay', `${overlayOptions(plan)},nosuid,nodev`]
      : bind(join(plan.folder, 'tree'), treePath, 'nosuid,nodev')
  ]
  return rows.map(([from, to, type, flags]) => `${encodeField(from!)} ${encodeField(to!)} ${type} ${flags} 0 0\n`).join('')
}

/** Mount points below /tmp are made in the private folder that is mounted there. */
function namespaceScript (plan: LaunchPlan): string {
  const { tools } = plan
  const mount = shellQuote(tools.mount!)
  const points = plan.mounts.map(path => path.startsWith('/tmp/') ? join(plan.folder, 'tmp', path.slice(5)) : join(plan.base.root, path))
  return [
    ...setupLines(plan),
    `${mount} -cin -t tmpfs -o mode=755,nosuid,nodev,size=16m tmpfs root`,
    `${shellQuote(tools.cp)} -a ${shellQuote(`${plan.base.skeleton}/.`)} root/`,
    points.length === 0 ? '' : `/bin/mkdir -p -- ${quoteAll(points)}`,
    `${mount} -cin -a -T ${shellQuote(join(plan.folder, 'mounts'))}`,
    plan.network === 'none' && tools.loopbackUp !== null ? `${quoteAll(tools.loopbackUp)} || :` : '',
    tools.hostname === null ? '' : `${shellQuote(tools.hostname)} spar || :`,
    'cd root',
    `${mount} -cin -o remount,bind,ro,nosuid,nodev .`,
    `${shellQuote(tools.pivotRoot!)} . .`,
    `${shellQuote(tools.umount!)} -l .`,
    `cd ${treePath}`,
    'set +e',
    keeperScript(quoteAll(plan.userNamespace ? dropByNamespace(plan) : dropFromRoot(tools)), [markName])
  ].filter(line => line !== '').join('\n')
}

function namespaces (plan: LaunchPlan): string[] {
  const { tools } = plan
  const kinds = ['--mount', '--pid', '--ipc', '--uts', '--cgroup', ...(plan.network === 'none' ? ['--net'] : [])]
  const inner = [tools.unshare!, ...kinds, '--propagation', 'private', '--fork', '--kill-child', '--', tools.sh, '-c', namespaceScript(plan)]
  // The wish to die with Spar is forgotten when a user namespace is entered: it is made after that.
  const words = [...(plan.asRoot ? [] : [tools.unshare!, '--user', '--map-root-user', '--']), tools.setpriv!, '--pdeathsig', 'KILL', '--', ...inner]
  // Groups are joined where they are still seen: outside of the cgroup namespace.
  return plan.cgroupProcs.length === 0 ? words : [tools.sh, '-c', [...joinLines(plan), `exec ${quoteAll(words)}`].join('\n')]
}

// ---- none -----------------------------------------------------------------------------------------------------------

function none (plan: LaunchPlan): string[] {
  return [plan.tools.sh, '-c', [...joinLines(plan), keeperScript(quoteAll(bareShell(plan.tools)))].join('\n')]
}

export function commandLine (plan: LaunchPlan): CommandLine {
  const words = { bubblewrap, namespaces, none }[plan.isolation](plan)
  const mark = plan.env[markName]
  const setsItself = plan.isolation === 'bubblewrap' && plan.tools.bwrapClears
  const set = setsItself ? [] : ['/usr/bin/env', '-i', ...Object.entries(plan.env).map(([name, value]) => `${name}=${value}`)]
  const [file, ...args] = [...set, ...words]
  return { file: file!, args, env: setsItself && mark !== undefined ? { [markName]: mark } : {} }
}
