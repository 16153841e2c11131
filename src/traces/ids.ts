// Ids of traces and spans, from what they are of: a trace is a run, and its root is the run's span.

import { createHash } from 'node:crypto'

const digest = (text: string, digits: number): string => createHash('sha256').update(text).digest('hex').slice(0, digits)

/** A run of the same name on another bus, or after a removal, was submitted at another time. */
export const traceIdOf = (run: string, submittedAt: number): string => digest(`spar trace\n${run}\n${submittedAt}`, 32)

/** `path` names what it is of: `run`, an episode's id, `<work>#<delivery>`, and what is in a rollout behind that. */
export const spanIdOf = (trace: string, path: string): string => digest(`spar span\n${trace}\n${path}`, 16)

export const runPath = 'run'
export const workPath = (work: string, delivery: number): string => `${work}#${delivery}`
export const turnPath = (rollout: string, delivery: number, turn: number, what: 'ask' | 'tool'): string => `${workPath(rollout, delivery)}/${turn}.${what}`

/** Whether an episode is among the share (0 to 1) that is traced: the same on every node. */
export const isTraced = (trace: string, episode: string, share: number): boolean => Number.parseInt(spanIdOf(trace, episode).slice(0, 8), 16) < share * 2 ** 32
