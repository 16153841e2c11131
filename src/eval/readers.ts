// The log parsers that instances name, as far as a reader of ours knows the same logs, and how a test is found in a reading: an
// instance has the ids that its parser makes, which are shorter than ours or cut.

import { SparError } from '../errors.ts'
import type { LogReading, LogRunner, LogStatus } from '../workers/testlog/index.ts'

export interface LogParser { runner: LogRunner; /** An id of ours as the parser writes it. */ idOf: (id: string) => string; /** Whether the parser leaves out files, packages and suites. */ isShort: boolean }

const same = (id: string): string => id
/** `test[/long/way/file]` is `test[/file]`. */
const lastOfPath = (id: string): string => id.replace(/\[(\/(?!\/)[^*[\]]*)\]$/, (_, path: string) => `[/${path.split('/').at(-1)!}]`)
const pytest: LogParser = { runner: 'pytest', idOf: same, isShort: false }
const pytestOptions: LogParser = { ...pytest, idOf: lastOfPath }

const parsers: Record<string, LogParser> = {
  parse_log_pytest: pytest,
  parse_log_pytest_v2: pytest,
  parse_log_pytest_options: pytestOptions,
  ...Object.fromEntries(['astroid', 'flask', 'marshmallow', 'pvlib', 'pyvista', 'sqlfluff', 'xarray', 'astropy', 'scikit', 'sphinx'].map(name => [`parse_log_${name}`, pytest])),
  ...Object.fromEntries(['pydicom', 'requests', 'pylint'].map(name => [`parse_log_${name}`, pytestOptions])),
  parse_log_tap: { runner: 'tap', idOf: same, isShort: true },
  parse_log_gotest: { runner: 'go', idOf: same, isShort: true },
  parse_log_cargo: { runner: 'cargo', idOf: same, isShort: true },
  parse_log_jest: { runner: 'jest', idOf: same, isShort: true },
  parse_log_vitest: { runner: 'vitest', idOf: same, isShort: true }
}

/** Throws EVAL_UNKNOWN_PARSER: no reader of ours knows these logs. */
export function parserNamed (id: string, name: string): LogParser {
  const parser = Object.hasOwn(parsers, name) ? parsers[name] : undefined
  if (parser !== undefined) return parser
  throw new SparError('EVAL_UNKNOWN_PARSER', `Cannot evaluate ${id} by its eval_script: its log_parser ${JSON.stringify(name.slice(0, 80))} is none that Spar reads (${Object.keys(parsers).join(', ')}). Name a clone with --repo-dir, or a target with --arena, to run its tests with the runner that Spar finds`)
}

const wordsOf = (id: string): string[] => id.split(/::|\s+[>›]\s+/).map(word => word.trim())

/** The state of a test by the id that an instance has for it; null: no result. Several that it may be have to agree, or it failed. */
export function lookUp ({ tests }: Pick<LogReading, 'tests'>, { idOf, isShort }: LogParser): (id: string) => LogStatus | null {
  const byId = new Map<string, LogStatus[]>()
  const byLastWord = new Map<string, { words: string[]; status: LogStatus }[]>()
  for (const [ours, status] of tests) {
    const id = idOf(ours)
    byId.set(id, [...byId.get(id) ?? [], status])
    const words = wordsOf(id)
    if (isShort) byLastWord.set(words.at(-1)!, [...byLastWord.get(words.at(-1)!) ?? [], { words, status }])
  }
  return id => {
    const exact = byId.get(id)
    if (exact !== undefined) return agreed(exact)
    // Instances of SWE-bench hold ids that were cut within a parameter.
    if (!isShort) return isCut(id) ? agreed([...byId].flatMap(([known, statuses]) => known.startsWith(id) ? statuses : [])) : null
    const words = wordsOf(id)
    const found = byLastWord.get(words.at(-1)!)?.filter(known => words.every((word, index) => word === known.words[known.words.length - words.length + index]))
    return agreed((found ?? []).map(({ status }) => status))
  }
}

const isCut = (id: string): boolean => id.split('[').length > id.split(']').length

function agreed (statuses: readonly LogStatus[]): LogStatus | null {
  const [first] = statuses
  if (first === undefined) return null
  return statuses.every(status => status === first) ? first : 'failed'
}
