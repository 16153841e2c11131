// Names under which bugs go out into the world. The formats derive repository, image and branch names from them, so only
// letters that all of those take are kept.

import { SparError } from '../errors.ts'

export interface RepositoryName { owner: string; name: string }

const plain = (word: string): string => word.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[-._]+|[-._]+$/g, '') || 'repository'

/** An arena without an owner belongs to `local`. */
export function repositoryName (arenaName: string): RepositoryName {
  const at = arenaName.indexOf('__')
  return at > 0 ? { owner: plain(arenaName.slice(0, at)), name: plain(arenaName.slice(at + 2)) } : { owner: 'local', name: plain(arenaName) }
}

const digits = (bugId: string): string => bugId.replace(/^bug-/, '')

/** `<owner>__<name>-<hash>` of SWE-bench, also the folder of a Harbor task. */
export const swebenchId = ({ owner, name }: RepositoryName, bugId: string): string => `${owner}__${name}-${digits(bugId)}`

/** The image that SWE-bench's harness expects for an instance. */
export const swebenchImage = (instanceId: string): string => `swebench/sweb.eval.x86_64.${instanceId}:latest`.toLowerCase().replaceAll('__', '_1776_')

/** `<owner>__<name>.<sha8>`: SWE-smith's name of a repository at a commit. */
export const swesmithRepository = ({ owner, name }: RepositoryName, commit: string): string => `${owner}__${name}.${commit.slice(0, 8)}`

export const swesmithImage = ({ owner, name }: RepositoryName, commit: string): string =>
  `swebench/swesmith.x86_64.${owner}_1776_${name}.${commit.slice(0, 8)}`.toLowerCase()

export const swesmithId = (repository: string, bugType: string, bugId: string): string => `${repository}.${bugType}__${digits(bugId).slice(0, 8)}`

/** Short hashes may meet: a data set with the same id twice is refused rather than written. */
export function refuseTwins (ids: readonly string[]): void {
  const twin = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twin !== undefined) throw new SparError('EXPORT_ID_TWICE', `Cannot export: two bugs of the run would both be named ${twin}. Export them from separate runs.`)
}
