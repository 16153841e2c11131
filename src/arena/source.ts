// From a target to a repository on this machine: what the target stands for now (`resolve`, which asks but does not
// download), and the repository itself (`materialise`).

import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SparError } from '../errors.ts'
import { unpack } from './archive.ts'
import type { ArenaLimits } from './limits.ts'
import { npmReleases, npmTarballs } from './npm.ts'
import { openIndex, type SourceRelease } from './pypi.ts'
import { commitReleases, fetchCommit, headOf, initialise, remoteCommit, topOf, type Release, type Repository } from './repository.ts'
import { isTestPath } from './runners/paths.ts'
import type { Target } from './target.ts'

type HostTarget = Exclude<Target, { kind: 'docker' }>

export interface Resolved {
  /** Same text, same content: the key under which an opened arena is found again. */
  key: string
  /** For people: `find-my-way 9.0.0 … 9.5.0 (7 releases)`. */
  label: string
  materialise (repository: Repository, work: string, onProgress: (line: string) => void): Promise<void>
}

export async function resolveSource (target: HostTarget, work: string, limits: ArenaLimits): Promise<Resolved> {
  if (target.kind === 'path') return resolvePath(target.path, limits)
  if (target.kind === 'git') return resolveUrl(target.url, target.ref, limits)
  return target.kind === 'npm' ? resolveNpm(target.package, target.range, work, limits) : resolvePypi(target.package, target.range, limits)
}

async function resolvePath (path: string, limits: ArenaLimits): Promise<Resolved> {
  const commit = await headOf(path, limits)
  return {
    key: `git ${commit}`,
    label: `${path} at ${commit.slice(0, 12)}`,
    materialise: async repository => {
      await initialise(repository, limits)
      await fetchCommit(repository, await topOf(path, limits), commit, null, limits)
    }
  }
}

async function resolveUrl (url: string, ref: string | null, limits: ArenaLimits): Promise<Resolved> {
  const commit = await remoteCommit(url, ref, limits) ?? ref!
  return {
    key: `git ${commit}`,
    label: `${url} at ${commit.slice(0, 12)}`,
    materialise: async repository => {
      await initialise(repository, limits)
      await fetchCommit(repository, url, commit, ref, limits)
    }
  }
}

async function resolveNpm (name: string, range: string, work: string, limits: ArenaLimits): Promise<Resolved> {
  await mkdir(work, { recursive: true })
  const releases = await npmReleases(name, range, work, limits)
  return ofReleases('npm', name, releases, async () => npmTarballs(name, releases.map(({ version }) => version), join(work, 'packed'), limits), limits)
}

async function resolvePypi (name: string, range: string, limits: ArenaLimits): Promise<Resolved> {
  const index = await openIndex(limits)
  let releases: SourceRelease[]
  try { releases = await index.releases(name, range) } finally { await index.close() }
  return ofReleases('pypi', name, releases, async () => {
    const index = await openIndex(limits)
    try { return await Promise.all(releases.map(release => index.download(name, release))) } finally { await index.close() }
  }, limits)
}

function ofReleases (kind: string, name: string, releases: readonly { version: string; date: string }[], download: () => Promise<Uint8Array[]>, limits: ArenaLimits): Resolved {
  const versions = releases.map(({ version }) => version)
  const label = `${name} ${versions.length > 1 ? `${versions[0]} … ${versions.at(-1)} (${versions.length} releases)` : versions[0]}`
  return {
    key: `${kind} ${name} ${versions.join(' ')}`,
    label,
    materialise: async (repository, work, onProgress) => {
      onProgress(`downloading ${label}`)
      const archives = await download()
      const unpacked: (Release & { hasTests: boolean })[] = []
      for (const [at, { version, date }] of releases.entries()) {
        const folder = join(work, 'releases', String(at))
        const entries = await unpack(`${name} ${version}`, archives[at]!, folder, limits)
        await dropInstalled(folder)
        unpacked.push({ folder, label: `${name} ${version}`, date: new Date(date).toISOString(), hasTests: entries.some(entry => entry.type === 'file' && isTestPath(entry.path)) })
      }
      // The tree that is played on is the newest release that ships tests.
      while (unpacked.length > 0 && !unpacked.at(-1)!.hasTests) onProgress(`${unpacked.pop()!.label} ships no tests and is left out`)
      if (unpacked.length === 0) {
        throw new SparError('ARENA_NO_RELEASE_WITH_TESTS', `Cannot open ${kind}:${name}: no release from ${versions[0]} to ${versions.at(-1)} ships its tests. Take its git repository instead, or other releases`)
      }
      await initialise(repository, limits)
      await commitReleases(repository, name, unpacked, limits)
      await rm(join(work, 'releases'), { recursive: true, force: true })
    }
  }
}

/** Dependencies that a release bundles: installed afresh, and never part of a commit. */
async function dropInstalled (folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isDirectory() && entry.name === 'node_modules') await rm(join(entry.parentPath, entry.name), { recursive: true, force: true })
  }
}
