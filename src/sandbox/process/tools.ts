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

/** Standard folders first: a program that a user's PATH puts in front is not what builds an isolation. */
export function findProgram (name: string, folders = [...standardFolders, ...(process.env['PATH'] ?? '').split(':')]): string | null {
  for (const folder of folders) {
    if (!folder.startsWith('/')) continue
    try {
      accessSync(join(folder, name), constants.X_OK)
      return join(folder, name)
    } catch { /* not here */ }
  }
  return null
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
    bash: findProgram('bash'),
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
