// The options of a run, resolved once: every field is there. `run.json` keeps them, so that a run can be resumed and
// replayed.

import { strategies, type Strategy } from '../domain.ts'
import { SparError } from '../errors.ts'
import { budgetDefaults, type BudgetOptions } from './budgets.ts'
import { policyDefaults, type PolicyOptions } from './policy-options.ts'

export interface Range { min: number; max: number }

export interface RunOptions extends PolicyOptions, BudgetOptions {
  target: string
  /** How many arenas the run plays on: episodes take them in turn. */
  arenas: number
  episodes: number
  /** Attempts on every bug: the solver's group. */
  group: number
  strategy: Record<Strategy, number>
  seed: number
  minPassing: number
  /** Drawn for every episode. */
  minFiles: Range
  minFailing: number
  /** α of the breaker's reward. */
  alpha: number
  /** 1: first-order bugs only. */
  maxOrder: number
  /** Scored attempts that a solve rate needs, at least. */
  minScored: number
  mode: 'strict' | 'group'
}

/** `episodes` of a run that plays until it is stopped. */
export const untilStopped = 1_000_000_000

export const runDefaults: Omit<RunOptions, 'target'> = {
  arenas: 1,
  episodes: 6,
  group: 8,
  strategy: { removal: 1, history: 1, direct: 0 },
  seed: 1,
  minPassing: 10,
  minFiles: { min: 1, max: 3 },
  minFailing: 1,
  alpha: 0.8,
  maxOrder: 2,
  minScored: 4,
  mode: 'strict',
  ...budgetDefaults,
  ...policyDefaults
}

const bad = (option: string, value: string, rule: string): SparError =>
  new SparError('OPTION_INVALID', `Cannot use --${option} "${value}": ${rule}`, { data: { option, value } })

export function parseWhole (option: string, value: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
  const number = Number(value)
  if (!/^\d+$/.test(value) || number < min || number > max) throw bad(option, value, `it takes a whole number from ${min} to ${max}`)
  return number
}

export function parseShare (option: string, value: string): number {
  return parseNumber(option, value, 0, 1)
}

/** A number of any kind, from `min` to `max`. */
export function parseNumber (option: string, value: string, min: number, max: number): number {
  const number = Number(value)
  if (value.trim() === '' || !(number >= min && number <= max)) throw bad(option, value, `it takes a number from ${min} to ${max}`)
  return number
}

/** `3` or `1..3`. */
export function parseRange (option: string, value: string): Range {
  const match = /^(\d+)(?:\.\.(\d+))?$/.exec(value)
  const min = Number(match?.[1])
  const max = Number(match?.[2] ?? match?.[1])
  if (!match || min < 1 || max < min || max > 100) throw bad(option, value, 'it takes a count such as 2, or a range such as 1..3')
  return { min, max }
}

/** `removal=1,history=1,direct=0`; a strategy that is not named has weight 0. */
export function parseStrategy (option: string, value: string): Record<Strategy, number> {
  const weights: Record<Strategy, number> = { removal: 0, history: 0, direct: 0 }
  for (const part of value.split(',')) {
    const [name, weight = '1'] = part.split('=').map(word => word.trim())
    if (!strategies.includes(name as Strategy)) throw bad(option, value, `"${name}" is none of ${strategies.join(', ')}`)
    if (weight === '' || !(Number(weight) >= 0) || !Number.isFinite(Number(weight))) throw bad(option, value, `the weight of ${name} is no number from 0`)
    weights[name as Strategy] = Number(weight)
  }
  if (Object.values(weights).every(weight => weight === 0)) throw bad(option, value, 'at least one strategy needs a weight above 0')
  return weights
}
