// The options of a run as words: of `spar play` on the command line, and of a run document.

import type { BudgetOptions } from '../run/budgets.ts'
import { parseRange, parseShare, parseStrategy, parseWhole, type RunOptions } from '../run/options.ts'
import { parseWord } from './parse.ts'
import { readPolicy } from './policy-values.ts'

export const runOptionTypes = {
  episodes: { type: 'string' }, group: { type: 'string' }, strategy: { type: 'string' }, seed: { type: 'string' },
  'min-passing': { type: 'string' }, 'min-files': { type: 'string' }, 'min-failing': { type: 'string' }, 'min-scored': { type: 'string' }, alpha: { type: 'string' }, 'max-order': { type: 'string' }, mode: { type: 'string' },
  policy: { type: 'string' }, breaker: { type: 'string' }, solver: { type: 'string' }, model: { type: 'string' }, 'policy-version': { type: 'string' }, temperature: { type: 'string' }, 'top-p': { type: 'string' },
  'max-tokens': { type: 'string' }, tools: { type: 'string' }, 'logprobs-mode': { type: 'string' }, 'format-errors': { type: 'string' }, prompts: { type: 'string' }, 'max-turns': { type: 'string' }, 'max-context': { type: 'string' }, 'max-seconds': { type: 'string' }
} as const

/** Fields of a run document that say the same as an option. */
export const documentOptions: readonly string[] = Object.keys(runOptionTypes).filter(name => name !== 'episodes')

export type RunValues = Partial<Record<keyof typeof runOptionTypes, string | undefined>>

/** Options that were given; budgets are read role by role (src/run/budgets.ts). */
export type Given = Partial<Omit<RunOptions, keyof BudgetOptions>>

/** Only the options that were given. */
export function readOptions (values: RunValues): Given {
  const given: Given = {}
  if (values.episodes !== undefined) given.episodes = parseWhole('episodes', values.episodes, 1, 1_000_000)
  if (values.group !== undefined) given.group = parseWhole('group', values.group, 1, 64)
  if (values.strategy !== undefined) given.strategy = parseStrategy('strategy', values.strategy)
  if (values.seed !== undefined) given.seed = parseWhole('seed', values.seed, 0, 2 ** 31 - 1)
  if (values['min-passing'] !== undefined) given.minPassing = parseWhole('min-passing', values['min-passing'], 1)
  if (values['min-files'] !== undefined) given.minFiles = parseRange('min-files', values['min-files'])
  if (values['min-failing'] !== undefined) given.minFailing = parseWhole('min-failing', values['min-failing'], 1)
  if (values['min-scored'] !== undefined) given.minScored = parseWhole('min-scored', values['min-scored'], 1, 64)
  if (values.alpha !== undefined) given.alpha = parseShare('alpha', values.alpha)
  if (values['max-order'] !== undefined) given.maxOrder = parseWhole('max-order', values['max-order'], 1, 2)
  if (values.mode !== undefined) given.mode = parseWord('mode', values.mode, ['strict', 'group'] as const)
  return { ...given, ...readPolicy(values) }
}
