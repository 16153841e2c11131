// Options that more than one command takes.

import { SparError } from '../errors.ts'

export function parseWord<Word extends string> (option: string, value: string, words: readonly Word[]): Word {
  const word = words.find(word => word === value)
  if (!word) throw new SparError('OPTION_INVALID', `Cannot use --${option} "${value}": it takes ${words.join(', ')}`, { data: { option, value } })
  return word
}

/**
 * `auto` takes Docker for a target that lives in an image, and processes for one that lives in a directory: no image
 * holds that one's tree and dependencies.
 */
export function sandboxKindFor (value: string | undefined, target: string): 'docker' | 'process' {
  const kind = parseWord('sandbox', value ?? 'auto', ['auto', 'docker', 'process'] as const)
  return kind !== 'auto' ? kind : target.startsWith('docker:') ? 'docker' : 'process'
}

/** The only argument of a command. */
export function onlyArgument (positionals: readonly string[], what: string, usage: string): string {
  if (positionals.length !== 1) throw new SparError('OPTION_MISSING', `${positionals.length === 0 ? `Name ${what}` : `One ${what.replace(/^an? |^the /, '')} at a time`}. ${usage.split('\n')[0]}`)
  return positionals[0]!
}
