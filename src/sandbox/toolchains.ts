// The toolchains in use on this host (Node, Python, git, Go), as folders to mount read-only and to put on PATH. What lives
// in /usr is visible anyway; what a version manager put below a home folder is found by asking the program itself, since
// what PATH names is often a shim.

import { execFile } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, sep } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const askMsMax = 10_000

export interface Toolchains { mounts: string[]; path: string[] }

interface Found { prefixes: string[]; bin: string }

async function ask (program: string, args: string[]): Promise<string[]> {
  const { stdout } = await run(program, args, { timeout: askMsMax, encoding: 'utf8' })
  return stdout.trim().split('\n')
}

async function findNode (): Promise<Found> {
  const bin = dirname(realpathSync(process.execPath))
  return { prefixes: [dirname(bin)], bin }
}

async function findPython (): Promise<Found> {
  const [base, executable] = await ask('python3', ['-I', '-c', 'import sys, os; print(sys.base_prefix); print(os.path.realpath(sys.executable))'])
  return { prefixes: [base!], bin: dirname(executable!) }
}

async function findGit (): Promise<Found> {
  const [execPath] = await ask('git', ['--exec-path'])
  // <prefix>/libexec/git-core or <prefix>/lib/git-core
  const prefix = dirname(dirname(realpathSync(execPath!)))
  return { prefixes: [prefix], bin: `${prefix}/bin` }
}

async function findGo (): Promise<Found> {
  const [root] = await ask('go', ['env', 'GOROOT'])
  return { prefixes: [realpathSync(root!)], bin: `${root!}/bin` }
}

/** Folders that are never mounted whole: the root, homes, and what holds them. */
function isTooWide (folder: string): boolean {
  const home = safeRealpath(homedir())
  return folder.split(sep).length < 3 || home === folder || home.startsWith(folder + sep)
}

function safeRealpath (path: string): string {
  try { return realpathSync(path) } catch { return path }
}

const isSystem = (folder: string): boolean => /^\/(usr|bin|sbin|lib|lib64)(\/|$)/.test(folder)

/** Missing toolchains are simply not there. The order is that of precedence on PATH. */
export async function findToolchains (): Promise<Toolchains> {
  const found = await Promise.allSettled([findNode(), findPython(), findGit(), findGo()])
  const mounts = new Set<string>()
  const path = new Set<string>()
  for (const result of found) {
    if (result.status === 'rejected') continue
    const { prefixes, bin } = result.value
    for (const prefix of prefixes) {
      if (isSystem(prefix)) continue
      if (!isTooWide(prefix)) mounts.add(prefix)
      else if (!isTooWide(bin)) mounts.add(bin)
    }
    if (existsSync(bin) && !['/usr/bin', '/bin'].includes(bin)) path.add(bin)
  }
  return { mounts: [...mounts], path: [...path] }
}
