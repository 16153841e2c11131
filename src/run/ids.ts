// Names of the pieces of work of an episode; they order and find everything in a run folder.

export const breakId = (episodeId: string): string => `${episodeId}.break`
export const verifyId = (episodeId: string): string => `${episodeId}.verify`
export const solveId = (episodeId: string, order: number, member: number): string => `${episodeId}.solve.${order}.${member}`
export const gradeId = (episodeId: string, order: number, member: number): string => `${episodeId}.grade.${order}.${member}`
/** Of the bug that a failed attempt becomes; not on the queue. */
export const promoteId = (episodeId: string, order: number): string => `${episodeId}.promote.${order}`
/** Of what a piece of work belongs to; null for what belongs to a whole run. */
export const episodeOfWork = (workId: string): string | null => /^e\d+/.exec(workId)?.[0] ?? null
export const settleId = (episodeId: string): string => `${episodeId}.settle`

/** Priorities on the queue: what ends an episode comes before what starts one. */
export const priorities = { break: 0, verify: 1, solve: 2, grade: 3 }
