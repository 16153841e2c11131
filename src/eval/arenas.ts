// Where an instance is played: the image that it names, or its repository, on which an arena is opened at exactly the instance's
// commit. Each place is opened once, for all of its instances.

import { existsSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Testbed } from './grade.ts'
import type { EvalInstance } from './instances.ts'

export interface Places {
  /** One target for every instance. */
  arena: string | null
  /** Folder with clones: `owner__name`, `owner/name` or `name`. */
  repoDir: string | null
  /** Where images have the repository; null: images are not used. */
  imagePath: string | null
}

/** `target` is a target of `spar play`; `image`: the instance's own, of which it is opened. */
export interface Place { target: string; image: { name: string; path: string } | null }

/** What the user names goes before the image, and the image before what `repo` says. Throws EVAL_NO_REPOSITORY where nothing says where it is. */
export function placeOf ({ id, repo, baseCommit, image }: EvalInstance, { arena, repoDir, imagePath }: Places): Place {
  if (arena !== null) return { target: arena, image: null }
  const clones = repoDir === null || isAddress(repo) || isAbsolute(repo) ? [] : [repo.replace('/', '__'), repo, repo.split('/').at(-1)!].map(name => join(resolve(repoDir), name))
  const clone = clones.find(path => existsSync(path))
  if (clone === undefined && image !== null && imagePath !== null) return { target: `docker:${image}#${imagePath}`, image: { name: image, path: imagePath } }
  if (isAddress(repo)) return { target: `${repo}@${baseCommit}`, image: null }
  const folder = clone ?? (isAbsolute(repo) && existsSync(repo) ? repo : undefined)
  if (folder === undefined) {
    const looked = isAbsolute(repo) ? [repo] : clones
    throw new SparError('EVAL_NO_REPOSITORY', `Cannot find the repository ${repo} of ${id}: ${looked.length === 0 ? 'it names no image; say where it is with --repo-dir or --arena' : `none of ${looked.join(', ')} is there`}`)
  }
  return { target: `${pathToFileURL(folder).href}@${baseCommit}`, image: null }
}

const isAddress = (repo: string): boolean => /^(https?|ssh|git|file):\/\//.test(repo)

export interface Openers {
  /** A target of `spar play`. */
  arena (target: string): Promise<Arena>
  /** An image whose tests run by a script of the instance's own. */
  image (name: string, path: string): Promise<Arena>
}

/** Opens each place once; what could not be opened is not tried again. */
export function createArenas (places: Places, openers: Openers): (instance: EvalInstance) => Promise<Testbed> {
  const opened = new Map<string, Promise<Arena>>()
  // One after the other: two openings may install the same dependencies.
  let last: Promise<unknown> = Promise.resolve()
  return async instance => {
    const { target, image } = placeOf(instance, places)
    // Its own script runs its tests; without one they run as Spar finds, so that it has to find how.
    const isBare = image !== null && instance.evalScript !== null && instance.logParser !== null
    const key = `${isBare ? 'bare ' : ''}${target}`
    const opening = opened.get(key) ?? last.then(async () => isBare ? await openers.image(image.name, image.path) : await openers.arena(target))
    opened.set(key, opening)
    last = opening.catch(() => {})
    const arena = await opening
    if (image === null && arena.commit !== instance.baseCommit) {
      throw new SparError('EVAL_COMMIT_DIFFERS', `Cannot evaluate ${instance.id} on ${target}: it is at commit ${arena.commit.slice(0, 12)}, the instance at ${instance.baseCommit.slice(0, 12)}`)
    }
    return { arena, ofImage: image !== null }
  }
}
