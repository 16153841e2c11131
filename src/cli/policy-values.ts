// The options that say who plays, as the command line gives them to `spar play` and `spar eval`.

import { resolve } from 'node:path'
import { SparError } from '../errors.ts'
import { parseNumber, parseShare, parseWhole } from '../run/options.ts'
import { parsePolicy, type PolicyOptions } from '../run/policy-options.ts'
import { parseWord } from './parse.ts'

export type PolicyValues = Partial<Record<'policy' | 'breaker' | 'solver' | 'model' | 'policy-version' | 'temperature' | 'top-p' | 'max-tokens' | 'logprobs-mode' | 'tools' | 'format-errors' | 'prompts', string | undefined>>

/** Only what was given. Throws OPTION_INVALID. */
export function readPolicy (values: PolicyValues): Partial<PolicyOptions> {
  const given: Partial<PolicyOptions> = {}
  for (const role of ['breaker', 'solver'] as const) {
    const spec = values[role] ?? values.policy
    if (spec !== undefined) parsePolicy(values[role] === undefined ? 'policy' : role, given[role] = spec)
  }
  if (values.model !== undefined) given.model = values.model
  if (values['policy-version'] !== undefined) given.policyVersion = parseVersion(values['policy-version'])
  if (values.temperature !== undefined) given.temperature = parseNumber('temperature', values.temperature, 0, 10)
  if (values['top-p'] !== undefined) given.topP = parseShare('top-p', values['top-p'])
  if (values['max-tokens'] !== undefined) given.completionTokensMax = parseWhole('max-tokens', values['max-tokens'], 1)
  if (values['logprobs-mode'] !== undefined) given.logprobsMode = values['logprobs-mode']
  if (values.tools !== undefined) given.tools = parseWord('tools', values.tools, ['auto', 'native', 'text'] as const)
  if (values['format-errors'] !== undefined) given.formatErrors = parseWord('format-errors', values['format-errors'], ['answer', 'end'] as const)
  if (values.prompts !== undefined) given.prompts = resolve(values.prompts)
  return given
}

const versionLengthMax = 200

/** Stands in every record, and in tables. Throws OPTION_INVALID. */
export function parseVersion (value: string): string {
  if (value.trim() === '' || value.length > versionLengthMax || /[\x00-\x1f\x7f]/.test(value)) {
    throw new SparError('OPTION_INVALID', `Cannot use --policy-version ${JSON.stringify(value.slice(0, 80))}: it takes a name of at most ${versionLengthMax} characters on one line`)
  }
  return value.trim()
}
