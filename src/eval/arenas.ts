// Where the repository of an instance is found, and the arena that is opened on it: at exactly the instance's commit, once for
// all of its instances.

import { existsSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { EvalInstance } from './instances.ts'

export interface Places { /** One target for every instance. */ arena: string | null; /** Folder with clones: `owner__name`, `owner/name` or `name`. */ repoDir: string | null }

/** Throws EVAL_NO_REPOSITORY where nothing says where it is. */
export function targetOf ({ id, repo, baseCommit }: EvalInstance, { arena, repoDir }: Places): string {
  if (arena !== null) return arena
  if (/^(https?|ssh|git|file):\/\//.test(repo)) return `${repo}@${baseCommit}`
  const folders = isAbsolute(repo) ? [repo] : repoDir === null ? [] : [repo.replace('/', '__'), repo, repo.split('/').at(-1)!].map(name => join(resolve(repoDir), name))
  const folder = folders.find(path => existsSync(path))
  if (folder === undefined) {
    throw new SparError('EVAL_NO_REPOSITORY', `Cannot find the repository ${repo} of ${id}: ${folders.length === 0 ? 'say where it is with --repo-dir or --arena' : `none of ${folders.join(', ')} is there`}`)
  }
  return `${pathToFileURL(folder).href}@${baseCommit}`
}

/** Opens each target once; what could not be opened is not tried again. */
export function createArenas (places: Places, open: (target: string) => Promise<Arena>): (instance: EvalInstance) => Promise<Arena> {
  const opened = new Map<string, Promise<Arena>>()
  // One after the other: two openings may install the same dependencies.
  let last: Promise<unknown> = Promise.resolve()
  return async instance => {
    const target = targetOf(instance, places)
    const opening = opened.get(target) ?? last.then(() => open(target))
    opened.set(target, opening)
    last = opening.catch(() => {})
    const arena = await opening
    if (arena.commit !== instance.baseCommit) {
      throw new SparError('EVAL_COMMIT_DIFFERS', `Cannot evaluate ${instance.id} on ${target}: it is at commit ${arena.commit.slice(0, 12)}, the instance at ${instance.baseCommit.slice(0, 12)}`)
    }
    return arena
  }
}
