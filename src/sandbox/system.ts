// What sandboxes see of the host's system, whatever makes their walls: the programs in its top-level folders and the
// toolchains, read-only and at their own paths, and an /etc of the few files that programs need.

import { copyFileSync, cpSync, existsSync, lstatSync, mkdirSync, readlinkSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { SparError } from '../errors.ts'

export interface System { /** Top-level links, made again inside. */ links: { path: string; target: string }[]; /** Top-level folders. */ systemMounts: string[] }

/** The one identity inside, whatever it is on the host. */
export const insideId = 1000
/** The host id of what runs in sandboxes when Spar itself is root. */
export const rootModeId = 10001
/** Where the tree and the private folder are seen. */
export const treePath = '/testbed'
export const scratchPath = '/spar'
/** Folders of PATH after those of arena and toolchains. */
export const standardPath = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin']

/** What every sandbox has in its environment; the arena's own comes on top. */
export const standardEnvironment = (tmp: string): Record<string, string> => ({
  HOME: `${tmp}/home`,
  USER: 'spar',
  LOGNAME: 'spar',
  SHELL: '/bin/bash',
  LANG: 'C.UTF-8',
  TERM: 'dumb',
  TMPDIR: tmp,
  CI: '1',
  PYTHONDONTWRITEBYTECODE: '1',
  PYTHONHASHSEED: '0'
})

const ids = (own: number): number[] => [...new Set([insideId, rootModeId, own])].filter(id => id !== 0)
/** `own` is a further id under which the sandbox's user is known. */
const made = (own: number): Record<string, string> => ({
  passwd: `root:x:0:0:root:/root:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n${ids(own).map(id => `spar:x:${id}:${id}:spar:/tmp/home:/bin/bash\n`).join('')}`,
  group: `root:x:0:\nnogroup:x:65534:\n${ids(own).map(id => `spar:x:${id}:\n`).join('')}`,
  hosts: '127.0.0.1 localhost spar\n::1 localhost\n',
  hostname: 'spar\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n'
})
/** Copied from the host where they exist; folders with the links in them. */
const copied = ['ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'alternatives', 'localtime', 'timezone', 'protocols', 'services', 'mime.types', 'os-release', 'debian_version',
  'ssl/certs', 'ssl/openssl.cnf', 'ssl/cert.pem', 'pki/tls/certs', 'pki/ca-trust/extracted', 'ca-certificates/extracted']
const forNetwork = ['resolv.conf', 'gai.conf']

export function describeSystem (): System {
  const links: System['links'] = []
  const systemMounts: string[] = []
  for (const path of ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix/store', '/gnu/store']) {
    if (!existsSync(path)) continue
    if (lstatSync(path).isSymbolicLink()) links.push({ path, target: readlinkSync(path) })
    else systemMounts.push(path)
  }
  return { links, systemMounts }
}

/** Writes an /etc into `folder`, which is made; with `network` also how names are looked up. */
export function makeEtc (folder: string, options: { network: boolean; own?: number }): void {
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries(made(options.own ?? insideId))) writeFileSync(join(folder, name), text)
  for (const name of options.network ? [...copied, ...forNetwork] : copied) {
    const from = join('/etc', name)
    try {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      if (lstatSync(from).isDirectory()) cpSync(from, join(folder, name), { recursive: true, verbatimSymlinks: true })
      else copyFileSync(from, join(folder, name))
    } catch { /* not on this host, or not readable: then not inside either */ }
  }
}

/** Changes whenever `makeEtc` would write something else, as far as times and sizes tell. */
export function etcState (own: number): string {
  const states = copied.map(name => {
    try {
      const { mtimeMs, size } = lstatSync(join('/etc', name))
      return `${name} ${mtimeMs} ${size}`
    } catch { return `${name} none` }
  })
  return [JSON.stringify(made(own)), ...states].join('\n')
}

/** Existing folders by their real path as well as their own, without those that lie inside another one. */
export function outermost (folders: string[]): string[] {
  const all = new Set<string>()
  for (const folder of folders) {
    try { all.add(realpathSync(folder)); all.add(folder) } catch { throw new SparError('SANDBOX_BAD_MOUNT', `Cannot mount ${folder} into a sandbox: there is no such folder`) }
  }
  return [...all].sort().filter(folder => ![...all].some(other => other !== folder && folder.startsWith(other + '/')))
}
