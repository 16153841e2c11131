// The configuration of a container, from an allow-list: what is not written here cannot be asked for. No devices, no host
// namespaces, no engine socket, ever.
//
// Decisions:
//   Host binds only for an arena that lives in a directory: the folders of binds.ts (the system's programs, toolchains, what
//     was installed for the arena), read-only, one file system each. Never a home, a socket, /proc, /sys or /run of the host.
//   Root file system writable. Tests of real repositories write into their tree, and a tree copied elsewhere breaks
//     installed-in-place packages; the container's own layer is thrown away anyway. (A read-only root also breaks putArchive.)
//   User: for an arena that lives in a directory the ordinary id that owns the tree, since Spar made the image. In an image
//     of somebody else's the image's own if it names one; else root of the container without any capability, no-new-privileges: it owns the
//     image's files, so it can write the tree without a slow chown, and can do nothing else that an ordinary user cannot.
//   The first process is the keeper (frame.ts), not the engine's own: the kernel shields it, so nothing inside can kill it.
//   Files that must survive a killed shell (scratch) are in the container's layer, not on tmpfs: a kill is a stop and a start of the
//     container. Volumes there are none: nothing measures what they hold.

import type { ContainerCreateOptions } from 'dockerode'

import type { SandboxLimits, SandboxSpec } from '../../ports.ts'
import { openFilesMax } from '../limits.ts'
import { assertBindable, type Bind } from './binds.ts'

export interface ContainerPlan {
  name: string
  image: string
  user: string
  /** Program and arguments of the main process. */
  command: string[]
  env: Record<string, string>
  tree: string
  scratch: string
  /** Folders of the host, seen read-only. */
  binds: Bind[]
  /** Folders of the image behind an empty one in memory: what must not be seen, and what is in no layer, so that nobody could measure it. */
  covered: string[]
  network: SandboxSpec['network']
  limits: SandboxLimits
  lease: string
  /** By its name in the engine; null: the engine's default. */
  runtime: string | null
}

const tmpBytes = 2 ** 30
const tmpFiles = 200_000
const inMemory = `rw,nosuid,nodev,exec,mode=1777,size=${tmpBytes},nr_inodes=${tmpFiles}`
const shmBytes = 64 * 2 ** 20
const cpuPeriodUs = 100_000

type Mount = NonNullable<NonNullable<ContainerCreateOptions['HostConfig']>['Mounts']>[number]

function bindMount ({ from, to }: Bind): Mount {
  assertBindable(from)
  assertBindable(to)
  const options = { Propagation: 'rprivate' as const, NonRecursive: true }
  return { Type: 'bind', Source: from, Target: to, ReadOnly: true, BindOptions: options }
}

export function containerConfig (plan: ContainerPlan, labels: { mark: string; lease: string }): ContainerCreateOptions {
  const { limits } = plan
  return {
    name: plan.name,
    Image: plan.image,
    User: plan.user,
    Entrypoint: plan.command,
    Cmd: [],
    Env: Object.entries(plan.env).map(([name, value]) => `${name}=${value}`),
    WorkingDir: '/',
    Hostname: 'spar',
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: true,
    StdinOnce: false,
    Tty: false,
    NetworkDisabled: plan.network === 'none',
    Labels: { [labels.mark]: plan.name, [labels.lease]: plan.lease },
    HostConfig: {
      ...(plan.runtime === null ? {} : { Runtime: plan.runtime }),
      NetworkMode: plan.network === 'none' ? 'none' : 'bridge',
      Init: false,
      AutoRemove: false,
      Privileged: false,
      ReadonlyRootfs: false,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: limits.pids,
      Memory: limits.memoryBytes,
      MemorySwap: limits.memoryBytes,
      // As period and quota: more cores than the engine has are no error then.
      CpuPeriod: cpuPeriodUs,
      CpuQuota: Math.round(limits.cpus * cpuPeriodUs),
      IpcMode: 'private',
      ShmSize: shmBytes,
      Tmpfs: Object.fromEntries(['/tmp', ...plan.covered].map(folder => [folder, inMemory])),
      LogConfig: { Type: 'none', Config: {} },
      RestartPolicy: { Name: 'no' },
      Ulimits: [
        { Name: 'nofile', Soft: openFilesMax, Hard: openFilesMax },
        { Name: 'fsize', Soft: limits.fileBytes, Hard: limits.fileBytes },
        { Name: 'core', Soft: 0, Hard: 0 }
      ],
      Mounts: plan.binds.map(bindMount)
    }
  }
}
