// Dependencies of a Go tree: its modules, and a build cache warmed with the standard library and those modules, never with
// the tree's own packages (that would be the original code in compiled form). Sandboxes see both read-only; Go must be able
// to write to its cache, so `go` inside is a small program that first makes a writable cache of links to the warm one.

import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SparError } from '../../errors.ts'
import { shellQuote } from '../../quote.ts'
import { lastLines, runCommand } from '../command.ts'
import type { Installed, InstallRequest } from './types.ts'

const packagesAtOnce = 400

const wrapper = (env: string): string => String.raw`#!/bin/sh
# Gives this sandbox a writable build cache that starts with everything in the arena's.
cache="${'$'}{TMPDIR:-/tmp}/spar-go-cache"
if [ ! -d "$cache" ]; then
  mkdir -p "$cache.$$" && cp -as ${shellQuote(`${env}/cache/.`)} "$cache.$$" && mv "$cache.$$" "$cache" 2>/dev/null || rm -rf "$cache.$$"
fi
GOCACHE="$cache"
export GOCACHE
here=$(dirname "$0")
rest=$(printf '%s' "$PATH" | tr ':' '\n' | grep -vxF "$here" | tr '\n' ':')
PATH="$rest" exec env PATH="$PATH" "$(PATH="$rest" command -v go)" "$@"
`

export async function installGo ({ tree, env, limits, onProgress }: InstallRequest): Promise<Installed> {
  const folders = { GOMODCACHE: join(env, 'modules'), GOCACHE: join(env, 'cache') }
  await mkdir(join(env, 'bin'), { recursive: true })
  for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true })
  // The tree may ask for another toolchain, which would be downloaded and run.
  const options = { cwd: tree, timeoutMs: limits.installMsMax, env: { ...folders, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=mod -trimpath -modcacherw', GOWORK: 'off' } }
  onProgress('downloading modules')
  const download = await runCommand('go', ['mod', 'download'], options)
  if (download.code !== 0) {
    const offline = download.timedOut || /dial tcp|no such host|connection refused|i\/o timeout/.test(download.stderr)
    throw new SparError(offline ? 'ARENA_REGISTRY_UNREACHABLE' : 'ARENA_INSTALL_FAILED', `Cannot download the modules: ${lastLines(download)}. ` +
      (offline ? 'Check the network and GOPROXY' : 'Say how to prepare the tree with --setup'), { retryable: offline })
  }
  onProgress('compiling dependencies')
  const listed = await runCommand('go', ['list', '-e', '-deps', '-test', '-f', '{{if and (not .ForTest) (or .Standard (and .Module (not .Module.Main)))}}{{.ImportPath}}{{end}}', './...'], options)
  const packages = [...new Set(listed.stdout.split('\n').filter(name => name !== '' && !name.endsWith('.test') && !name.includes(' ')))]
  for (let at = 0; at < packages.length; at += packagesAtOnce) await runCommand('go', ['build', ...packages.slice(at, at + packagesAtOnce)], options)
  await writeWrapper(env)
  return {
    mounts: [env],
    path: [join(env, 'bin')],
    env: { GOMODCACHE: folders.GOMODCACHE, GOPROXY: 'off', GOSUMDB: 'off', GOTOOLCHAIN: 'local', GOWORK: 'off', GOFLAGS: '-mod=mod -trimpath' },
    notes: []
  }
}

async function writeWrapper (env: string): Promise<void> {
  const path = join(env, 'bin', 'go')
  await writeFile(path, wrapper(env))
  await chmod(path, 0o755)
}
