// The prompts: text files with {{names}} in them, of which a user can hand in some of his own. Everything is filled in one
// pass, so that a patch or an issue that holds {{braces}} stays as it is.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RolloutTask } from '../../domain.ts'
import { SparError } from '../../errors.ts'
import { submitForm } from './text-protocol.ts'

export const promptVersion = 'v1'

const names = ['system', 'text-protocol', 'breaker', 'removal', 'history', 'direct', 'solver', 'oracle'] as const
export type PromptName = typeof names[number]
export type Prompts = Record<PromptName, string>

/** Values that each prompt may name. */
const values: Record<PromptName, readonly string[]> = {
  system: ['tree', 'scratch', 'turns', 'tokens', 'command_seconds', 'submit_rule', 'text_protocol'],
  'text-protocol': ['submit_form'],
  breaker: ['strategy', 'test_command', 'min_passing', 'min_files', 'min_failing', 'tree', 'scratch'],
  removal: [], history: [], direct: [],
  solver: ['problem', 'test_command', 'tree', 'scratch'],
  oracle: ['patch']
}

/** Ours, with the files `<name>.md` of a folder in their place. Throws PROMPT_INVALID when one names a value that it is not given. */
export function loadPrompts (folder: string | null = null): Prompts {
  const own = join(dirname(fileURLToPath(import.meta.url)), 'prompts', promptVersion)
  return Object.fromEntries(names.map(name => {
    const replaced = folder === null ? null : join(folder, `${name}.md`)
    const path = replaced !== null && existsSync(replaced) ? replaced : join(own, `${name}.md`)
    const text = readFileSync(path, 'utf8').trimEnd()
    const unknown = placesOf(text).find(value => !values[name].includes(value))
    if (unknown !== undefined) throw new SparError('PROMPT_INVALID', `Cannot use the prompt ${path}: it names {{${unknown}}}; it may name ${values[name].map(value => `{{${value}}}`).join(', ') || 'nothing'}`)
    return [name, text]
  })) as Prompts
}

const placesOf = (text: string): string[] => [...text.matchAll(/\{\{(\w+)\}\}/g)].map(match => match[1]!)
const fill = (text: string, given: Record<string, string | number>): string => text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => String(given[name]))

/** What opens the conversation of a rollout. */
export function openingOf (prompts: Prompts, task: RolloutTask, tools: 'native' | 'text'): { system: string; user: string } {
  const { tree, scratch } = task
  const testCommand = task.testCommand === null ? '' : ` They run with: ${task.testCommand}`
  const system = fill(prompts.system, {
    tree, scratch, turns: task.turnsMax, tokens: task.tokensMax, command_seconds: task.commandMsMax / 1000,
    submit_rule: task.role === 'breaker' ? 'It takes the paths of your five files; the last submit counts.' : 'The changes in the repository are taken as they are.',
    text_protocol: tools === 'text' ? fill(prompts['text-protocol'], { submit_form: submitForm(task.role) }) : ''
  }).trimEnd()
  const user = task.role === 'breaker'
    ? fill(prompts.breaker, { strategy: prompts[task.strategy], test_command: testCommand, min_passing: task.params.minPassing, min_files: task.params.minFiles, min_failing: task.params.minFailing, tree, scratch })
    : fill(prompts.solver, { problem: task.issue?.trim() ?? fill(prompts.oracle, { patch: task.oraclePatch.trimEnd() }), test_command: testCommand, tree, scratch })
  return { system, user }
}
