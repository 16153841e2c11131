// The tools of a rollout as a model is told of them, and its calls read back: names and arguments that do not fit become a
// sentence that says what was wrong, never a guess.

import type { Role, ToolCall } from '../../domain.ts'
import type { ToolSchema } from './types.ts'

/** The breaker's five files, by the names that it knows them under, and their keys in a submit. */
export const submitFiles = {
  test_script: 'testScript', test_files: 'testFiles', test_parser: 'testParser', bug_inject: 'bugInject', test_weaken: 'testWeaken'
} as const

export type CallRead = { call: ToolCall; fault: null } | { call: null; fault: string }

const text = (description: string): Record<string, unknown> => ({ type: 'string', description })
const schema = (name: string, description: string, properties: Record<string, unknown>): ToolSchema =>
  ({ name, description, parameters: { type: 'object', properties, required: Object.keys(properties), additionalProperties: false } })

export function toolSchemas (role: Role): ToolSchema[] {
  return [
    schema('bash', 'Runs a command in a shell that keeps its working folder and variables.', { command: text('the command') }),
    schema('edit', 'Replaces text in a file. The search text must match whole lines, in exactly one place.', { path: text('path of the file'), search: text('the lines to replace'), replace: text('the lines to put there') }),
    schema('create', 'Writes a file, with its folders.', { path: text('path of the file'), content: text('the whole content') }),
    role === 'breaker'
      ? schema('submit', 'Hands in the five files.', Object.fromEntries(Object.keys(submitFiles).map(name => [name, text(`path of the file ${name}`)])))
      : schema('submit', 'Hands in the repository as it is.', {})
  ]
}

/** A call by name and arguments. */
export function readCall (role: Role, name: string, args: unknown): CallRead {
  const known = toolSchemas(role).find(tool => tool.name === name)
  if (known === undefined) return fault(`there is no tool "${name.slice(0, 50)}": the tools are bash, edit, create and submit`)
  if (typeof args !== 'object' || args === null || Array.isArray(args)) return fault(`the arguments of ${name} are no object`)
  const given = args as Record<string, unknown>
  const wanted = known.parameters['required'] as string[]
  for (const key of wanted) {
    if (!Object.hasOwn(given, key)) return fault(`${name} needs the argument "${key}"`)
    if (typeof given[key] !== 'string') return fault(`the argument "${key}" of ${name} is no text`)
  }
  const odd = Object.keys(given).find(key => !wanted.includes(key))
  if (odd !== undefined) return fault(`${name} takes no argument "${odd.slice(0, 50)}"`)
  const value = (key: string): string => given[key] as string
  switch (name) {
    case 'bash': return found({ tool: 'bash', command: value('command') })
    case 'edit': return found({ tool: 'edit', path: value('path'), search: value('search'), replace: value('replace') })
    case 'create': return found({ tool: 'create', path: value('path'), content: value('content') })
    default: return found({ tool: 'submit', paths: role === 'solver' ? null : Object.fromEntries(Object.entries(submitFiles).map(([key, part]) => [part, value(key)])) })
  }
}

export const found = (call: ToolCall): CallRead => ({ call, fault: null })
export const fault = (sentence: string): CallRead => ({ call: null, fault: sentence })
