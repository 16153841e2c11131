// What a node says of itself, as lines of its log: level, message, ids.

import type { NodeReport } from '../cluster/report.ts'
import { createLog, type Log, type LogFields, type LogLevel } from './log.ts'
import type { Io } from './command.ts'

export type NodeEvent = NodeReport
  | { type: 'bus'; status: string; detail: string }
  | { type: 'reaped'; removed: string[] }
  | { type: 'progress'; line: string }
  | { type: 'ready'; http: string | null }
  | { type: 'traces'; reason: string }

export type NodeLog = (event: NodeEvent) => void

/** With `json` on standard output, whoever looks; else on standard error, for people where that is a terminal. */
export function createNodeLog (io: Io, { json, level, node }: { json: boolean; level: LogLevel; node: string }): NodeLog {
  const isTerminal = process.stderr.isTTY === true
  const log = createLog({
    level, base: { node }, now: Date.now, write: json ? io.out : io.err,
    form: json || !isTerminal ? 'json' : 'pretty', colour: isTerminal && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb'
  })
  return event => tell(log, node, event)
}

function tell (log: Log, node: string, event: NodeEvent): void {
  switch (event.type) {
    case 'ready': return log('info', `node ${node} takes work${event.http === null ? '' : `, ${event.http}/status`}`, event)
    case 'joined': return log('debug', 'the node has joined the bus', event)
    case 'draining': return log('info', 'draining: nothing new is taken', event)
    case 'aborting': return log('warn', 'draining has taken too long: what runs is aborted and handed back', event)
    case 'arenas': return log(event.refusals.length > 0 ? 'warn' : 'info', [`arenas: ${event.held.join(', ') || 'none'}`, ...event.refusals.map(({ target, code, reason }) => `${target}: ${reason} [${code}]`)].join('\n'), event)
    case 'delivered': return log(levelOf(event.outcome), `${event.run} ${event.work} ${event.outcome}${event.delivery > 1 ? ` (delivery ${event.delivery})` : ''} in ${event.ms} ms${event.code === undefined ? '' : `: ${event.reason ?? ''} [${event.code}]`}`, { ...event, ...idsOf(event.work) })
    case 'fault': return log('error', `${event.reason} [${event.code}]`, event)
    case 'bus': return log(event.status === 'connected' ? 'info' : 'warn', `the bus is ${event.status}: ${event.detail}`, event)
    case 'reaped': return log('info', `removed what dead owners left: ${event.removed.join(', ')}`, event)
    case 'progress': return log('info', event.line, event)
    case 'traces': return log('warn', event.reason, event)
  }
}

/** What will be tried again, or was given up, is worth a look. */
const levelOf = (outcome: string): 'info' | 'warn' | 'error' =>
  outcome === 'quarantined' ? 'error' : ['failed', 'interrupted', 'lost', 'dropped', 'abandoned'].includes(outcome) ? 'warn' : 'info'

/** `e0001.solve.1.0` is a rollout of `e0001`. */
function idsOf (work: string): Pick<LogFields, 'episode' | 'rollout'> {
  const [episode = '', kind] = work.split('.')
  if (!/^e\d+$/.test(episode)) return {}
  return kind === 'break' || kind === 'solve' ? { episode, rollout: work } : { episode }
}
