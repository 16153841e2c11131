// Options that more than one command takes.

import { SparError } from '../errors.ts'

export function parseWord<Word extends string> (option: string, value: string, words: readonly Word[]): Word {
  const word = words.find(word => word === value)
  if (!word) throw new SparError('OPTION_INVALID', `Cannot use --${option} "${value}": it takes ${words.join(', ')}`, { data: { option, value } })
  return word
}

/** Of every command that opens sandboxes. */
export const sandboxOptionTypes = { sandbox: { type: 'string' }, runtime: { type: 'string' } } as const
export const sandboxUsage = '--sandbox auto|docker|process   --runtime name   of the engine, for its containers: runsc, kata …'
export interface SandboxValues { sandbox?: string | undefined; runtime?: string | undefined }

/** The ones asked for; a runtime takes Docker. */
export function readSandboxes ({ sandbox, runtime }: SandboxValues): { kind: 'auto' | 'docker' | 'process'; runtime?: string } {
  const kind = parseWord('sandbox', sandbox ?? 'auto', ['auto', 'docker', 'process'] as const)
  if (runtime === undefined) return { kind }
  if (kind === 'process') throw new SparError('OPTION_INVALID', `Cannot use --runtime "${runtime}" with --sandbox process: a runtime runs containers. Leave one of the two out`)
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(runtime)) throw new SparError('OPTION_INVALID', `Cannot use --runtime "${runtime}": it takes the name of a runtime, as docker info lists them`)
  return { kind: 'docker', runtime }
}

/**
 * What --sandbox means for a target. `auto` is Docker if an engine answers (and, for a target that lives in a directory, sees
 * this host's files), else process; a tree in an image takes Docker in any case.
 */
export function sandboxesFor (values: SandboxValues, target: string): ReturnType<typeof readSandboxes> & { place: 'directory' | 'image' } {
  const { kind, ...rest } = readSandboxes(values)
  const place = target.startsWith('docker:') ? 'image' : 'directory'
  return { ...rest, kind: kind === 'auto' && place === 'image' ? 'docker' : kind, place }
}

/** The only argument of a command. */
export function onlyArgument (positionals: readonly string[], what: string, usage: string): string {
  if (positionals.length !== 1) throw new SparError('OPTION_MISSING', `${positionals.length === 0 ? `Name ${what}` : `One ${what.replace(/^an? |^the /, '')} at a time`}. ${usage.split('\n')[0]}`)
  return positionals[0]!
}
