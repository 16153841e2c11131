// Options that more than one command takes.

import { SparError } from '../errors.ts'

export function parseWord<Word extends string> (option: string, value: string, words: readonly Word[]): Word {
  const word = words.find(word => word === value)
  if (!word) throw new SparError('OPTION_INVALID', `Cannot use --${option} "${value}": it takes ${words.join(', ')}`, { data: { option, value } })
  return word
}

/**
 * What --sandbox means for a target. `auto` is Docker if an engine answers (and, for a target that lives in a directory, sees
 * this host's files), else process; a tree in an image takes Docker in any case.
 */
export function sandboxesFor (value: string | undefined, target: string): { kind: 'auto' | 'docker' | 'process'; place: 'directory' | 'image' } {
  const kind = parseWord('sandbox', value ?? 'auto', ['auto', 'docker', 'process'] as const)
  const place = target.startsWith('docker:') ? 'image' : 'directory'
  return { kind: kind === 'auto' && place === 'image' ? 'docker' : kind, place }
}

/** The only argument of a command. */
export function onlyArgument (positionals: readonly string[], what: string, usage: string): string {
  if (positionals.length !== 1) throw new SparError('OPTION_MISSING', `${positionals.length === 0 ? `Name ${what}` : `One ${what.replace(/^an? |^the /, '')} at a time`}. ${usage.split('\n')[0]}`)
  return positionals[0]!
}
