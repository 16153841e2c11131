// What a rollout may use up, for each role: turns, tokens of the whole conversation, and the time of its commands. The two roles
// differ in what they have to do, so each has figures of its own; one figure stands for both.

import type { Role } from '../domain.ts'
import { SparError } from '../errors.ts'

export type PerRole = Record<Role, number>

export interface BudgetOptions {
  turnsMax: PerRole
  /** Tokens of the whole conversation. */
  tokensMax: PerRole
  /** Time that a model's commands may take together, milliseconds; waiting for the server is not counted. */
  commandsMsMax: PerRole
}

export type Budget = { [Name in keyof BudgetOptions]: number }

const roles: readonly Role[] = ['breaker', 'solver']
const both = (value: number): PerRole => ({ breaker: value, solver: value })

export const budgetDefaults: BudgetOptions = { turnsMax: both(128), tokensMax: both(131_072), commandsMsMax: both(30 * 60_000) }

/** Figures that make sense, in the unit that the option takes. */
export const budgetRanges = {
  'max-turns': { min: 1, max: 100_000 },
  'max-context': { min: 1000, max: 100_000_000 },
  'max-seconds': { min: 1, max: 30 * 24 * 3600 }
} as const

export const budgetOf = ({ turnsMax, tokensMax, commandsMsMax }: BudgetOptions, role: Role): Budget =>
  ({ turnsMax: turnsMax[role], tokensMax: tokensMax[role], commandsMsMax: commandsMsMax[role] })

export type GivenBudgets = { [Name in keyof BudgetOptions]?: Partial<PerRole> }
export type BudgetValues = Partial<Record<keyof typeof budgetRanges, string | undefined>>

/** Only what was given, role by role. Throws OPTION_INVALID. */
export function readBudgets (values: BudgetValues): GivenBudgets {
  const given: GivenBudgets = {}
  if (values['max-turns'] !== undefined) given.turnsMax = parsePerRole('max-turns', values['max-turns'])
  if (values['max-context'] !== undefined) given.tokensMax = parsePerRole('max-context', values['max-context'])
  if (values['max-seconds'] !== undefined) given.commandsMsMax = parsePerRole('max-seconds', values['max-seconds'], 1000)
  return given
}

/** `128`, or `breaker=128,solver=64`; a role that is not named keeps what it has. `unit`: what one of the option is of ours. */
export function parsePerRole (option: keyof typeof budgetRanges, value: string, unit = 1): Partial<PerRole> {
  const { min, max } = budgetRanges[option]
  const figure = (text: string): number => {
    if (!/^\d+$/.test(text) || Number(text) < min || Number(text) > max) throw bad(option, value, min, max)
    return Number(text) * unit
  }
  if (!value.includes('=')) return both(figure(value.trim()))
  const given: Partial<PerRole> = {}
  for (const part of value.split(',')) {
    const [name = '', text = ''] = part.split('=').map(word => word.trim())
    const role = roles.find(role => role === name)
    if (role === undefined || given[role] !== undefined) throw bad(option, value, min, max)
    given[role] = figure(text)
  }
  return given
}

const bad = (option: string, value: string, min: number, max: number): SparError =>
  new SparError('OPTION_INVALID', `Cannot use --${option} "${value}": it takes a whole number from ${min} to ${max}, or one for each role: breaker=${Math.min(max, Math.max(min, 128))},solver=${Math.min(max, Math.max(min, 64))}`, { data: { option, value } })

/**
 * Budgets of a run: `kept` is what `run.json` holds. A run that began when both roles had the same has one number for the two,
 * and none where there was no such option.
 */
export function resolveBudgets (kept: { [Name in keyof BudgetOptions]?: number | Partial<PerRole> }, given: GivenBudgets = {}): BudgetOptions {
  const resolve = (name: keyof BudgetOptions): PerRole => {
    const before = kept[name]
    return { ...budgetDefaults[name], ...typeof before === 'number' ? both(before) : before, ...given[name] }
  }
  return { turnsMax: resolve('turnsMax'), tokensMax: resolve('tokensMax'), commandsMsMax: resolve('commandsMsMax') }
}

/** The first figure of these that the run was started without: `maxTurns of the solver`, and both figures. Null: there is none. */
export function differingBudget (kept: BudgetOptions, given: GivenBudgets): { name: string; before: number; now: number } | null {
  for (const name of Object.keys(given) as (keyof BudgetOptions)[]) {
    for (const role of roles) {
      const now = given[name]![role]
      if (now !== undefined && now !== kept[name][role]) return { name: `${name} of the ${role}`, before: kept[name][role], now }
    }
  }
  return null
}
