// What verification asks of a reading.

import type { LogReading, LogStatus, ProblemCode } from './types.ts'

/** Problems that say that results may be wrong or made up; others say that some are missing, or what was left out. */
export const castingDoubt: ReadonlySet<ProblemCode> = new Set<ProblemCode>(['COUNTS_DISAGREE', 'PLAN_MISMATCH', 'SEVERAL_SUMMARIES', 'AMBIGUOUS', 'BAD_XML', 'EXIT_CONTRADICTS'])

/** The problems of a reading that keep it from deciding a grade by itself. */
export const doubtful = ({ problems }: LogReading): LogReading['problems'] => problems.filter(({ code }) => castingDoubt.has(code))

/** As the parser of an artifact says it: passed and failed, an error being a failure; skipped tests are left out. */
export function toTestMap ({ tests }: LogReading): Record<string, Extract<LogStatus, 'passed' | 'failed'>> {
  const map: [string, 'passed' | 'failed'][] = []
  for (const [id, status] of tests) if (status !== 'skipped') map.push([id, status === 'passed' ? 'passed' : 'failed'])
  return Object.fromEntries(map)
}
