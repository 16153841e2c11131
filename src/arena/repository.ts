// The repository of an arena: `git/.git` with the history of one commit and nothing else, `tree/` with its files. Git on
// foreign trees runs with hooks, monitors, filters and the user's own configuration off, except where a remote is asked,
// which may need the user's credentials. Names of branches and tags are not taken over: only what the commit reaches.

import { lstat, mkdir, readdir, realpath, rm, utimes, writeFile } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { SparError } from '../errors.ts'
import { lastLines, runCommand, type CommandResult } from './command.ts'
import type { ArenaLimits } from './limits.ts'

export interface Repository {
  /** Folder that holds `.git`. */
  git: string
  tree: string
}

export interface Checkout { commit: string; tree: string; commits: number }

/** What never belongs to a commit: dependencies and what tests and tools leave behind. */
const excluded = ['node_modules/', '.venv/', '__pycache__/', '*.pyc', '*.egg-info/', '.pytest_cache/', '.hypothesis/', '.tap/', '.nyc_output/', 'coverage/', '.coverage', '.mypy_cache/', '.ruff_cache/', '.benchmarks/']

/** Files are taken byte by byte, whatever `.gitattributes` of the tree says. */
const attributes = '* -text -filter -ident -working-tree-encoding\n'

const quiet = ['-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false', '-c', 'core.untrackedCache=false', '-c', 'core.autocrlf=false', '-c', 'core.symlinks=true',
  '-c', 'protocol.ext.allow=never', '-c', 'gc.auto=0', '-c', 'maintenance.auto=false', '-c', 'advice.detachedHead=false', '-c', 'init.defaultBranch=main', '-c', 'submodule.recurse=false', '-c', 'fetch.recurseSubmodules=no']
const alone = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null', GIT_ATTR_NOSYSTEM: '1' }

export interface GitOptions { cwd?: string; env?: Record<string, string>; input?: string; timeoutMs: number; signal?: AbortSignal; asUser?: boolean }

export function git (args: readonly string[], options: GitOptions): Promise<CommandResult> {
  const { asUser = false, env, ...rest } = options
  return runCommand('git', [...quiet, ...args], { ...rest, env: { ...asUser ? {} : alone, ...env } })
}

async function must (args: readonly string[], options: GitOptions): Promise<string> {
  const result = await git(args, options)
  if (result.code === 0) return result.stdout.trim()
  throw new SparError('ARENA_GIT_FAILED', `Cannot run git ${args.find(arg => !arg.startsWith('-'))}: ${result.timedOut ? 'it ran out of time' : lastLines(result)}`)
}

export async function initialise ({ git: folder, tree }: Repository, limits: ArenaLimits): Promise<void> {
  await mkdir(folder, { recursive: true })
  await mkdir(tree, { recursive: true })
  await must(['init', '-q', '--template=', folder], { timeoutMs: limits.lookupMsMax })
  const info = join(folder, '.git', 'info')
  await mkdir(info, { recursive: true })
  await writeFile(join(info, 'exclude'), excluded.join('\n') + '\n')
  await writeFile(join(info, 'attributes'), attributes)
}

/** Commit id of a local repository's HEAD. ARENA_NOT_A_REPOSITORY when there is none. */
export async function headOf (path: string, limits: ArenaLimits): Promise<string> {
  const top = await git(['rev-parse', '--show-toplevel'], { cwd: path, timeoutMs: limits.lookupMsMax, asUser: true })
  if (top.code !== 0) {
    const bare = await git(['rev-parse', '--is-bare-repository'], { cwd: path, timeoutMs: limits.lookupMsMax, asUser: true })
    if (bare.stdout.trim() !== 'true') {
      const why = /dubious ownership/.test(top.stderr) ? 'git does not trust it because another user owns it (git config --global --add safe.directory)' : 'it is not a git repository. Run git init and commit it, or name another target'
      throw new SparError('ARENA_NOT_A_REPOSITORY', `Cannot open "${path}": ${why}`)
    }
  }
  if (top.code === 0 && await realpath(path) !== await realpath(top.stdout.replace(/\n$/, ''))) {
    throw new SparError('ARENA_NOT_A_REPOSITORY', `Cannot open "${path}": it is no git repository itself but a folder of "${top.stdout.trim()}". Name that one`)
  }
  const head = await git(['rev-parse', '--verify', '-q', 'HEAD^{commit}'], { cwd: path, timeoutMs: limits.lookupMsMax, asUser: true })
  if (head.code !== 0) throw new SparError('ARENA_NOT_A_REPOSITORY', `Cannot open "${path}": the git repository has no commit yet. Commit what is to be played on`)
  return head.stdout.trim()
}

/** Where a repository keeps its objects: a worktree of it keeps them elsewhere. */
export async function topOf (path: string, limits: ArenaLimits): Promise<string> {
  const { stdout } = await git(['rev-parse', '--path-format=absolute', '--git-common-dir'], { cwd: path, timeoutMs: limits.lookupMsMax, asUser: true })
  return isAbsolute(stdout.trim()) ? stdout.trim() : path
}

/** Commit id that a remote's ref stands for now, or null when the ref looks like a commit id that no ref bears. */
export async function remoteCommit (url: string, ref: string | null, limits: ArenaLimits): Promise<string | null> {
  const result = await git(['ls-remote', '--', url, ref ?? 'HEAD', ...ref === null ? [] : [`${ref}^{}`]], { timeoutMs: limits.lookupMsMax, asUser: true })
  if (result.code !== 0) throw unreachable(url, result)
  const lines = result.stdout.trim().split('\n').filter(line => line !== '').map(line => line.split('\t') as [string, string])
  const wanted = lines.find(([, name]) => name.endsWith('^{}')) ?? lines.find(([, name]) => [`refs/heads/${ref}`, `refs/tags/${ref}`, 'HEAD'].includes(name)) ?? lines[0]
  if (wanted !== undefined) return wanted[0]
  if (ref !== null && /^[0-9a-f]{7,40}$/.test(ref)) return null
  throw new SparError('ARENA_NOT_A_REPOSITORY', ref === null ? `Cannot open ${url}: the repository is empty` : `Cannot open ${url}: it has no branch or tag "${ref}"`)
}

function unreachable (url: string, result: CommandResult): SparError {
  const isAway = result.timedOut || /Could not resolve host|Failed to connect|Connection (refused|reset|timed out)|Network is unreachable|SSL|unable to access/i.test(result.stderr)
  const why = result.timedOut ? 'it does not answer' : lastLines(result, 2)
  return isAway
    ? new SparError('ARENA_REMOTE_UNREACHABLE', `Cannot reach ${url}: ${why}. Check the network and git's own configuration`, { retryable: true })
    : new SparError('ARENA_NOT_A_REPOSITORY', `Cannot open ${url}: ${why}`)
}

/** Fetches one commit with its history from a repository, local or remote. */
export async function fetchCommit (repository: Repository, url: string, commit: string, ref: string | null, limits: ArenaLimits): Promise<string> {
  const options = { cwd: repository.git, timeoutMs: limits.fetchMsMax, asUser: true }
  const fetch = (what: string[]): Promise<CommandResult> => git(['fetch', '-q', '--no-tags', '--no-write-fetch-head', '--update-shallow', '--', url, ...what], options)
  // Not every server hands out a commit by its id; then the ref, then all branches.
  let isAll = false
  let result = /^[0-9a-f]{40,}$/.test(commit) ? await fetch([`${commit}:refs/spar/wanted`]) : null
  if (result?.code !== 0 && ref !== null && ref !== commit) result = await fetch([`${ref}:refs/spar/wanted`])
  if (result?.code !== 0) {
    isAll = true
    result = await fetch(['refs/heads/*:refs/spar/heads/*'])
  }
  if (result.code !== 0) throw unreachable(url, result)
  const id = await git(['rev-parse', '--verify', '-q', `${commit}^{commit}`], options)
  if (id.code !== 0) throw new SparError('ARENA_NOT_A_REPOSITORY', `Cannot open ${url}: it has no commit "${commit}"`)
  await setHead(repository, id.stdout.trim(), limits)
  const { stdout } = await git(['for-each-ref', '--format=delete %(refname)', 'refs/spar'], options)
  await must(['update-ref', '--stdin'], { ...options, input: stdout })
  if (isAll) await must(['gc', '-q', '--prune=now'], options)
  return id.stdout.trim()
}

export async function setHead (repository: Repository, commit: string, limits: ArenaLimits): Promise<void> {
  await must(['update-ref', 'refs/heads/main', commit], { cwd: repository.git, timeoutMs: limits.lookupMsMax })
  await must(['symbolic-ref', 'HEAD', 'refs/heads/main'], { cwd: repository.git, timeoutMs: limits.lookupMsMax })
}

export interface Release { folder: string; label: string; date: string }

/** Each release, an unpacked folder, becomes a commit on top of the one before. Returns the last commit. */
export async function commitReleases (repository: Repository, name: string, releases: readonly Release[], limits: ArenaLimits): Promise<string> {
  let parent: string | null = null
  for (const { folder, label, date } of releases) {
    const options = { cwd: folder, timeoutMs: limits.fetchMsMax, env: { GIT_DIR: join(repository.git, '.git'), GIT_WORK_TREE: folder } }
    await must(['add', '-A', '-f', '--', '.', ':(exclude,glob)**/node_modules/**'], options)
    const tree = await must(['write-tree'], options)
    const who = { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: 'release@invalid', GIT_AUTHOR_DATE: date, GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: 'release@invalid', GIT_COMMITTER_DATE: date }
    const parents: string[] = parent === null ? [] : ['-p', parent]
    parent = await must(['commit-tree', tree, ...parents, '-m', label], { ...options, env: { ...options.env, ...who } })
  }
  await setHead(repository, parent!, limits)
  await rm(join(repository.git, '.git', 'index'), { force: true })
  return parent!
}

/** Writes the commit's files, gives them the commit's time, and leaves a repository without anything that runs or leads elsewhere. */
export async function checkOut (repository: Repository, limits: ArenaLimits): Promise<Checkout> {
  const dir = join(repository.git, '.git')
  const options = { cwd: repository.tree, timeoutMs: limits.fetchMsMax, env: { GIT_DIR: dir, GIT_WORK_TREE: repository.tree } }
  await must(['read-tree', 'HEAD'], options)
  await must(['checkout-index', '-a', '-f', '-q'], options)
  const [commit, tree, time] = (await must(['log', '-1', '--format=%H %T %ct'], options)).split(' ') as [string, string, string]
  const commits = Number(await must(['rev-list', '--count', 'HEAD'], options))
  await settleTimes(repository.tree, Number(time))
  // Times of change and inode numbers differ in every copy; size and time of modification do not.
  await must(['config', 'core.checkStat', 'minimal'], options)
  await must(['config', 'core.trustctime', 'false'], options)
  await must(['config', 'core.autocrlf', 'false'], options)
  await must(['config', 'gc.auto', '0'], options)
  await must(['update-index', '-q', '--really-refresh'], options)
  for (const name of ['hooks', 'FETCH_HEAD', 'ORIG_HEAD', 'logs', 'objects/info/alternates', 'branches', 'description', 'COMMIT_EDITMSG']) {
    await rm(join(dir, name), { recursive: true, force: true })
  }
  return { commit, tree, commits }
}

async function settleTimes (folder: string, seconds: number): Promise<void> {
  const at = Math.max(1, seconds)
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await settleTimes(path, at)
    else if ((await lstat(path)).isFile()) await utimes(path, at, at)
  }
}

/** Paths of the commit's files. */
export async function trackedFiles (repository: Repository, limits: ArenaLimits): Promise<string[]> {
  const { stdout } = await git(['ls-files', '-z'], { cwd: repository.tree, timeoutMs: limits.lookupMsMax, env: { GIT_DIR: join(repository.git, '.git'), GIT_WORK_TREE: repository.tree } })
  return stdout.split('\0').filter(path => path !== '')
}
