// The table of a verification: all eight checks in their order, whatever order they were found in. Pure.

import { checkNames, type Bug, type Check, type CheckName, type Verdict } from '../domain.ts'
import { check } from './plan.ts'
import type { StageName, VerificationOutcome } from './types.ts'

/** The check that stays open when a stage cannot be decided. */
const checkOf: Record<StageName, CheckName> = { static: 'files', clean: 'script', buggy: 'bug', weakened: 'weaken', inverse: 'inverse', determinism: 'determinism' }

export function toVerdict (bug: Bug, outcome: VerificationOutcome): Verdict {
  const open = outcome.kind === 'undecided' ? checkOf[outcome.stage] : null
  const found = new Map(outcome.checks.map(check => [check.name, check]))
  const failed = checkNames.find(name => found.get(name)?.verdict === 'fail') ?? null
  const checks = checkNames.map((name): Check => {
    if (outcome.kind === 'undecided' && name === open) return check(name, 'error', `${outcome.code}: ${outcome.reason}`, { ...found.get(name)?.evidence, code: outcome.code })
    return found.get(name) ?? check(name, outcome.kind === 'cancelled' ? 'error' : 'skip', outcome.kind === 'cancelled' ? 'cancelled' : failed === null ? 'not reached' : `not reached: ${failed} failed`)
  })
  const decided = outcome.kind === 'decided'
  const { mode = null, files = [], f2p = [], p2p = [], quarantined = [] } = outcome.findings
  const valid = decided && failed === null && checks.every(check => check.verdict === 'pass')
  return { bugId: bug.id, decided, valid, failed: decided ? failed : null, mode, checks, files, f2p, p2p, quarantined }
}
