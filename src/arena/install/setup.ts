// The user's `--setup` command, in a sandbox with network. What it adds to the tree comes out as an archive and is put into
// the arena's tree; files of the commit stay as committed. For Python a virtual environment is active while it runs, and
// stays in the tree, because packages may be installed in place; small programs in `env/` lead there.

import { appendFile, chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SparError } from '../../errors.ts'
import type { Sandbox } from '../../ports.ts'
import { unpack } from '../archive.ts'
import { runCommand } from '../command.ts'
import { pipSettings } from '../python-host.ts'
import { installGo } from './go.ts'
import type { EnvironmentRequest } from './index.ts'
import type { Installed, InstallRequest } from './types.ts'

const environmentFolder = '.venv'
const logTailBytes = 2000

export async function runSetup (request: EnvironmentRequest, command: string, common: InstallRequest): Promise<Installed> {
  const { arena, found, ports, limits, onProgress, signal } = request
  const isPython = found.ecosystem === 'python'
  // Go's modules come as always; the command may add what they lack.
  const base: Installed = found.ecosystem === 'go' ? await installGo(common) : { mounts: [], path: [], env: {}, notes: [] }
  onProgress(`running --setup "${command}"`)
  // Under another id: what is kept by an arena's id (layers, images) holds the tree that this command makes, not this one.
  const sandbox = await ports.sandboxes.open(
    { arena: { ...arena, ...base, id: `${arena.id}-setup`, env: { ...arena.env, ...base.env, ...await networkSettings(request) } }, view: 'history', network: 'host', label: { run: 'arena', purpose: 'setup' } },
    signal ?? undefined)
  try {
    const prepare = isPython ? `python3 -m venv ${environmentFolder} && . ${environmentFolder}/bin/activate && ` : ''
    const options = { timeoutMs: limits.installMsMax, outputBytesMax: limits.logBytesMax, ...signal === null ? {} : { signal } }
    await sandbox.writeFile(`${sandbox.scratch}/setup.sh`, Buffer.from(command + '\n'), 0o755)
    const done = await sandbox.exec(`${prepare}bash -e "${sandbox.scratch}/setup.sh"`, options)
    if (done.exitCode !== 0) {
      const why = done.killed === 'timeout' ? `it does not end within installMsMax = ${limits.installMsMax} ms` : done.killed === null ? `it ends with ${done.exitCode}` : `it was killed (${done.killed})`
      throw new SparError('ARENA_INSTALL_FAILED', `Cannot prepare ${arena.target} with --setup "${command}": ${why}.\n${Buffer.from(done.output).toString('utf8').trimEnd().slice(-logTailBytes)}`)
    }
    await takeOut(sandbox, request)
  } finally {
    await sandbox.destroy()
  }
  if (!isPython) return base
  await removeSecondCopy(arena.dir, request.tracked)
  await writeLeads(arena.dir)
  return {
    mounts: [join(arena.dir, 'env')],
    path: [join(arena.dir, 'env', 'bin')],
    env: { VIRTUAL_ENV: `{tree}/${environmentFolder}`, PYTHONPATH: '{tree}/src:{tree}' },
    notes: []
  }
}

/**
 * How this machine reaches its registries, for the sandbox with network: addresses and certificates, never credentials.
 * Certificates only from places that a sandbox sees too.
 */
async function networkSettings ({ found, limits }: EnvironmentRequest): Promise<Record<string, string>> {
  const settings: Record<string, string> = {}
  const isSeen = (path: string | undefined): path is string => path !== undefined && /^\/(etc\/(ssl|pki|ca-certificates)|usr)\//.test(path)
  for (const name of ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'PIP_CERT']) {
    const path = process.env[name]
    if (isSeen(path)) settings[name] = path
  }
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'GOPROXY']) {
    const value = process.env[name]
    if (value !== undefined) settings[name] = withoutCredentials(value)
  }
  if (found.ecosystem === 'go') settings['GOPROXY'] ??= ''
  if (found.ecosystem === 'python') {
    const { index, certificates } = await pipSettings(limits)
    settings['PIP_INDEX_URL'] = withoutCredentials(index)
    if (isSeen(certificates ?? undefined)) settings['PIP_CERT'] = certificates!
  }
  if (found.ecosystem === 'node') {
    const { code, stdout } = await runCommand('npm', ['config', 'get', 'registry'], { timeoutMs: limits.lookupMsMax })
    if (code === 0 && /^https?:/.test(stdout)) settings['npm_config_registry'] = withoutCredentials(stdout.trim())
  }
  return settings
}

const withoutCredentials = (address: string): string => address.replaceAll(/(\w:\/\/)[^/@\s,]*@/g, '$1')

async function takeOut (sandbox: Sandbox, { arena, limits }: EnvironmentRequest): Promise<void> {
  const bounds = { timeoutMs: limits.installMsMax, outputBytesMax: limits.logBytesMax }
  const archive = `${sandbox.scratch}/added.tar.gz`
  const listed = await sandbox.exec([
    `cd "${sandbox.tree}"`,
    `git -c safe.directory='*' ls-files -z -o > "${sandbox.scratch}/added"`,
    `tar --null --no-recursion -czf "${archive}" --transform 's,^,tree/,S' -T "${sandbox.scratch}/added"`,
    "git -c safe.directory='*' ls-files -o --exclude-standard --directory"
  ].join(' && '), bounds)
  if (listed.exitCode !== 0) throw new SparError('ARENA_INSTALL_FAILED', `Cannot take what --setup made out of the sandbox: ${Buffer.from(listed.output).toString('utf8').slice(-logTailBytes)}`)
  const added = Buffer.from(listed.output).toString('utf8').split('\n').filter(line => line !== '' && !line.startsWith('"'))
  const bytes = await sandbox.readFile(archive, limits.archiveBytesMax)
  await unpack('what --setup made', bytes, join(arena.dir, 'tree'), limits, 'any').catch(error => {
    if (!(error instanceof SparError && /it is empty/.test(error.message))) throw error
  })
  // Made by the command, so no change of the commit.
  const patterns = added.map(path => '/' + path.replace(/[\\*?[\]!# ]/g, '\\$&') + '\n').join('')
  await appendFile(join(arena.dir, 'git', '.git', 'info', 'exclude'), patterns)
}

/** What `pip install .` copied: the tree's packages in site-packages, and build folders beside the tree's own. */
async function removeSecondCopy (dir: string, tracked: readonly string[]): Promise<void> {
  if (!tracked.some(path => path.startsWith('build/'))) await rm(join(dir, 'tree', 'build'), { recursive: true, force: true })
  const own = new Set(tracked.flatMap(path => [/^(?:src\/|lib\/)?([^/]+)\/__init__\.py$/.exec(path)?.[1], /^(?:src\/|lib\/)?([^/]+\.py)$/.exec(path)?.[1]]).filter(name => name !== undefined))
  const lib = join(dir, 'tree', environmentFolder, 'lib')
  for (const version of await readdir(lib).catch(() => [])) {
    const packages = join(lib, version, 'site-packages')
    for (const name of await readdir(packages).catch(() => [])) {
      if (own.has(name) && name !== 'setup.py') await rm(join(packages, name), { recursive: true, force: true })
    }
  }
}

async function writeLeads (dir: string): Promise<void> {
  const bin = join(dir, 'env', 'bin')
  await mkdir(bin, { recursive: true })
  for (const name of await readdir(join(dir, 'tree', environmentFolder, 'bin')).catch(() => [])) {
    if (/^[aA]ctivate/.test(name) || !/^[\w.-]+$/.test(name)) continue
    await writeFile(join(bin, name), `#!/bin/sh\nexec "$VIRTUAL_ENV/bin/${name}" "$@"\n`)
    await chmod(join(bin, name), 0o755)
  }
}
