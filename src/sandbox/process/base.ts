// What every sandbox of a host shares, made once per home: /etc with the few files that programs need, and the skeleton
// of a root folder (empty mount points, links) for the isolation by namespaces.

import { copyFileSync, cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { rootModeId } from './layers.ts'
import { seccompFilter } from './seccomp.ts'

export interface Base { folder: string; etc: string; skeleton: string; /** File with the filter of system calls. */ seccomp: string; links: { path: string; target: string }[]; systemMounts: string[] }

/** The one identity inside, whatever it is on the host. */
export const insideId = 1000
/** Where the tree and the private folder are seen. */
export const treePath = '/testbed'
export const scratchPath = '/spar'
export const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty']

const passwd = `root:x:0:0:root:/root:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
spar:x:${insideId}:${insideId}:spar:/tmp/home:/bin/bash
spar:x:${rootModeId}:${rootModeId}:spar:/tmp/home:/bin/bash
`
const group = `root:x:0:
nogroup:x:65534:
spar:x:${insideId}:
spar:x:${rootModeId}:
`
const made: Record<string, string> = {
  passwd,
  group,
  hosts: '127.0.0.1 localhost spar\n::1 localhost\n',
  hostname: 'spar\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n'
}
/** Copied from the host where they exist; folders with the links in them. */
const copied = ['ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'alternatives', 'localtime', 'timezone', 'protocols', 'services', 'mime.types', 'os-release', 'debian_version',
  'ssl/certs', 'ssl/openssl.cnf', 'ssl/cert.pem', 'pki/tls/certs', 'pki/ca-trust/extracted', 'ca-certificates/extracted']
const forNetwork = ['resolv.conf', 'gai.conf']

const devLinks = [['fd', '/proc/self/fd'], ['stdin', '/proc/self/fd/0'], ['stdout', '/proc/self/fd/1'], ['stderr', '/proc/self/fd/2'], ['ptmx', 'pts/ptmx']] as const

/** Top-level folders of the system: links are made again, folders are mounted. */
function describeSystem (): Pick<Base, 'links' | 'systemMounts'> {
  const links: Base['links'] = []
  const systemMounts: string[] = []
  for (const path of ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix/store', '/gnu/store']) {
    if (!existsSync(path)) continue
    if (lstatSync(path).isSymbolicLink()) links.push({ path, target: readlinkSync(path) })
    else systemMounts.push(path)
  }
  return { links, systemMounts }
}

function copyEtc (folder: string, names: string[]): void {
  for (const name of names) {
    const from = join('/etc', name)
    try {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      if (lstatSync(from).isDirectory()) cpSync(from, join(folder, name), { recursive: true, verbatimSymlinks: true })
      else copyFileSync(from, join(folder, name))
    } catch { /* not on this host, or not readable: then not inside either */ }
  }
}

function makeSkeleton (folder: string, system: Pick<Base, 'links' | 'systemMounts'>): void {
  const points = ['proc', 'etc', 'tmp', 'var/tmp', 'run', 'dev/pts', 'dev/shm', treePath, scratchPath, ...system.systemMounts]
  for (const point of points) mkdirSync(join(folder, point), { recursive: true })
  for (const device of devices) writeFileSync(join(folder, 'dev', device), '')
  for (const [name, target] of devLinks) symlinkSync(target, join(folder, 'dev', name))
  for (const link of system.links) symlinkSync(link.target, join(folder, link.path))
}

/** Made in a folder of its own for each owner: a shared one could be stale, and it costs some milliseconds. */
export function makeBase (parent: string): Base {
  const folder = mkdtempSync(join(parent, '.base-new-'))
  try {
    const system = describeSystem()
    for (const [name, text] of Object.entries(made)) {
      for (const kind of ['etc', 'etc-network']) {
        mkdirSync(join(folder, kind), { recursive: true })
        writeFileSync(join(folder, kind, name), text)
      }
    }
    copyEtc(join(folder, 'etc'), copied)
    copyEtc(join(folder, 'etc-network'), [...copied, ...forNetwork])
    makeSkeleton(join(folder, 'skeleton'), system)
    const filter = seccompFilter()
    if (filter !== null) writeFileSync(join(folder, 'seccomp'), filter)
    const final = join(parent, `.base-${process.pid}-${folder.slice(-6)}`)
    renameSync(folder, final)
    return { folder: final, etc: join(final, 'etc'), skeleton: join(final, 'skeleton'), seccomp: join(final, 'seccomp'), ...system }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}
