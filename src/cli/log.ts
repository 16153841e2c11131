// The log of a process that runs for long: pino's, with ids. One object a line, or lines for people where somebody looks. What
// servers and models say is untrusted text: no character of it is obeyed by a terminal, and nothing of it is longer than its limit.

import { pino } from 'pino'
import { SparError } from '../errors.ts'
import { parseWord } from './parse.ts'
import { neutral, neutralText } from './terminal.ts'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = typeof logLevels[number]

export const logLimits = {
  /** Characters of the message, and of each text beside it; the rest is cut off and counted. */
  textCharsMax: 2_048,
  /** Items of a list and fields of an object that are told. */
  itemsMax: 64,
  /** Levels of lists and objects. */
  depthMax: 4
}

/** What belongs to a line beside its message; the first five are ids. */
export interface LogFields { node?: string; run?: string; episode?: string; rollout?: string; work?: string; type: string; [more: string]: unknown }

export type Log = (level: Exclude<LogLevel, 'silent'>, message: string, fields: LogFields) => void

export interface LogOptions {
  level: LogLevel
  /** `pretty`: for people. */
  form: 'json' | 'pretty'
  colour?: boolean
  /** On every line. */
  base: Record<string, string>
  now (): number
  write (line: string): void
}

export function createLog ({ level, form, colour = false, base, now, write }: LogOptions): Log {
  const logger = pino({
    level, base, messageKey: 'msg',
    timestamp: () => `,"at":"${new Date(now()).toISOString()}"`,
    formatters: { level: label => ({ level: label }), log: fields => bounded(fields, logLimits.depthMax) as Record<string, unknown> }
  }, { write: line => write(form === 'json' ? neutralText(line.trimEnd()) : prettyLine(JSON.parse(line) as Line, colour)) })
  return (level, message, fields) => logger[level](fields, cutText(message))
}

/** `--log-level`, else SPAR_LOG_LEVEL, else info. Throws OPTION_INVALID. */
export function readLevel (value: string | undefined, env: NodeJS.ProcessEnv): LogLevel {
  if (value !== undefined) return parseWord('log-level', value, logLevels)
  const level = env['SPAR_LOG_LEVEL'] || 'info'
  if ((logLevels as readonly string[]).includes(level)) return level as LogLevel
  throw new SparError('OPTION_INVALID', `Cannot use SPAR_LOG_LEVEL "${level}": it takes ${logLevels.join(', ')}`)
}

type Line = { level: string; at: string; msg?: string } & Record<string, unknown>

const paints: Record<string, number> = { trace: 90, debug: 90, info: 36, warn: 33, error: 31, fatal: 31 }

/** Time, level and message, and the ids that the message does not name. A message of several lines stands out from the next. */
function prettyLine ({ level, at, msg = '', ...fields }: Line, colour: boolean): string {
  const text = neutral(msg)
  const ids = ['run', 'episode', 'rollout', 'work'].filter(id => typeof fields[id] === 'string' && !text.includes(fields[id] as string)).map(id => ` ${id}=${neutral(fields[id] as string)}`)
  const name = level.padEnd(5)
  return `${at.slice(11, 23)} ${colour ? `\x1b[${paints[level] ?? 0}m${name}\x1b[0m` : name} ${(text + ids.join('')).replaceAll('\n', '\n    ')}`
}

function bounded (value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cutText(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth === 0) return '…'
  const { itemsMax } = logLimits
  if (Array.isArray(value)) return [...value.slice(0, itemsMax).map(item => bounded(item, depth - 1)), ...value.length > itemsMax ? [`… (${value.length - itemsMax} more)`] : []]
  return Object.fromEntries(Object.entries(value).slice(0, itemsMax).map(([name, field]) => [cutText(name), bounded(field, depth - 1)]))
}

const cutText = (text: string): string => text.length <= logLimits.textCharsMax ? text : `${text.slice(0, logLimits.textCharsMax)}… (${text.length - logLimits.textCharsMax} more characters)`
