// The host's programs that a sandbox is built with, by absolute path: the PATH inside belongs to the arena.

import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

const standardFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

export interface HostTools {
  sh: string
  bash: string | null
  cp: string
  mkfifo: string
  chown: string
  bwrap: string | null
  /** Whether it can set an environment instead of its own (from 0.5 on). */
  bwrapClears: boolean
  unshare: string | null
  mount: string | null
  umount: string | null
  pivotRoot: string | null
  setpriv: string | null
  hostname: string | null
  /** Words of a command that brings the loopback device up, or null. */
  loopbackUp: string[] | null
}

const searched = (): string[] => [...standardFolders, ...(process.env['PATH'] ?? '').split(':')]

/** Standard folders first: a program that a user's PATH puts in front is not what builds an isolation. */
export function findProgram (name: string, folders = searched()): string | null {
  return findPrograms(name, folders)[0] ?? null
}

function findPrograms (name: string, folders: string[]): string[] {
  return folders.filter(folder => folder.startsWith('/')).map(folder => join(folder, name)).filter(isProgram)
}

function isProgram (path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch { return false }
}

/** `read -N`, by which a command is read in one piece (frame.ts), came with it. macOS brings 3.2. */
export const bashVersionMin = '4.1'

/** The first that is new enough; where none is, the first there is, so that the error can name it. */
export function findBash (folders = searched()): string | null {
  const found = findPrograms('bash', folders)
  return found.find(path => isBashNewEnough(bashVersion(path))) ?? found[0] ?? null
}

/** Major and minor, as in "5.2"; null where it does not run. */
export function bashVersion (path: string): string | null {
  const { status, stdout } = spawnSync(path, ['--noprofile', '--norc', '-c', 'echo "$BASH_VERSION"'], { encoding: 'utf8', env: {} })
  return status === 0 ? /^\d+\.\d+/.exec(stdout)?.[0] ?? null : null
}

export function isBashNewEnough (version: string | null): boolean {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number)
  const [majorMin = 0, minorMin = 0] = bashVersionMin.split('.').map(Number)
  return major > majorMin || (major === majorMin && minor >= minorMin)
}

// SIOCGIFFLAGS and SIOCSIFFLAGS with IFF_UP | IFF_RUNNING on `lo`, for hosts without ip and ifconfig.
const perlLoopback = 'use Socket; socket(my $s, AF_INET, SOCK_DGRAM, 0) or exit 1; ioctl($s, 0x8914, pack("a16 s x14", "lo", 0x41)) or exit 1'

function findLoopbackUp (): string[] | null {
  const ip = findProgram('ip')
  if (ip !== null) return [ip, 'link', 'set', 'lo', 'up']
  const ifconfig = findProgram('ifconfig')
  if (ifconfig !== null) return [ifconfig, 'lo', 'up']
  const perl = findProgram('perl')
  return perl === null ? null : [perl, '-e', perlLoopback]
}

export function findHostTools (): HostTools {
  const bwrap = findProgram('bwrap')
  return {
    sh: '/bin/sh',
    bash: findBash(),
    cp: findProgram('cp') ?? '/bin/cp',
    mkfifo: findProgram('mkfifo') ?? '/usr/bin/mkfifo',
    chown: findProgram('chown') ?? '/bin/chown',
    bwrap,
    bwrapClears: bwrap !== null && (spawnSync(bwrap, ['--help'], { encoding: 'utf8' }).stdout ?? '').includes('--clearenv'),
    unshare: findProgram('unshare'),
    mount: findProgram('mount'),
    umount: findProgram('umount'),
    pivotRoot: findProgram('pivot_root'),
    setpriv: findProgram('setpriv'),
    hostname: findProgram('hostname'),
    loopbackUp: findLoopbackUp()
  }
}
