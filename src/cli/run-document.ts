// A run document as people write it: TOML or JSON, with the names of `spar play`'s options, a list of arenas and a few words of
// its own. Checked whole, and printed back with every default.
//
//   name = "nightly"
//   episodes = 200            # or "until stopped"
//   in-flight = 16            # episodes at a time
//   trainer = "trainer"       # no new episode while it has samples-ahead-mib (256) of samples before it
//   min-files = "1..3"
//   breaker = "procedural"    # or "node": what each node was started with
//   strategy = { removal = 1, history = 1 }
//   [[arenas]]
//   target = "npm:find-my-way@8.0.0 - 9.5.0"

import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { parse, stringify } from 'smol-toml'
import { parseTarget } from '../arena/target.ts'
import type { RunArena, RunDocument, RunTrainer } from '../cluster/document.ts'
import { checkName, checkTrainer } from '../cluster/keys.ts'
import { clusterLimits } from '../cluster/limits.ts'
import { SparError } from '../errors.ts'
import { readBudgets, resolveBudgets, type PerRole } from '../run/budgets.ts'
import { runDefaults, untilStopped, type RunOptions } from '../run/options.ts'
import { documentOptions, readOptions } from './run-options.ts'

const bad = (field: string, rule: string): SparError => new SparError('OPTION_INVALID', `Cannot use "${field}" of the run document: ${rule}`, { data: { field } })

const ownFields = ['name', 'arenas', 'in-flight', 'episodes', 'trainer', 'samples-ahead-mib']
const arenaFields = ['target', 'setup', 'test']

/** Reads and checks a document. Throws OPTION_INVALID naming the field and the rule, DOCUMENT_NOT_READ. */
export function parseRunDocument (text: string, form: 'toml' | 'json', now: number): RunDocument {
  const raw = parseText(text, form)
  for (const field of Object.keys(raw)) {
    if (!ownFields.includes(field) && !documentOptions.includes(field)) throw bad(field, `there is no such field. It takes ${[...ownFields, ...documentOptions].join(', ')}`)
  }
  const arenas = readArenas(raw['arenas'])
  const values = Object.fromEntries(documentOptions.filter(name => raw[name] !== undefined).map(name => [name, wordOf(name, raw[name])]))
  const { breaker, solver, policy, ...rest } = values
  const given = readOptions({ ...rest, ...ofServers({ breaker, solver, policy }) })
  const options: RunOptions = {
    ...runDefaults, ...given, ...resolveBudgets({}, readBudgets(values)), ...ofNodes({ breaker, solver, policy }), target: arenas[0]!.target, arenas: arenas.length,
    episodes: readEpisodes(raw['episodes'])
  }
  return {
    name: readName(raw['name'], arenas[0]!.target, options.seed, now), state: 'running', reason: '', options, arenas,
    inFlight: readInFlight(raw['in-flight']), trainer: readTrainer(raw['trainer'], raw['samples-ahead-mib']), submittedAt: now
  }
}

export function readRunDocument (path: string, now: number): RunDocument {
  const form = extname(path) === '.json' ? 'json' : 'toml'
  let text: string
  try {
    text = readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (error) {
    throw new SparError('DOCUMENT_NOT_READ', `Cannot read the run document ${path}: ${(error as Error).message}`)
  }
  return parseRunDocument(text, form === 'toml' && text.trimStart().startsWith('{') ? 'json' : form, now)
}

/** The document with every default, in the form in which it can be submitted again. */
export function printRunDocument ({ name, options, arenas, inFlight, trainer }: RunDocument): string {
  const { target: _, arenas: __, episodes, strategy, minFiles, turnsMax, tokensMax, commandsMsMax, ...rest } = options
  const kebab = (word: string): string => optionNames[word] ?? word.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
  const plain = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null).map(([word, value]) => [kebab(word), value]))
  return stringify({
    name, episodes: episodes === untilStopped ? 'until stopped' : episodes, 'in-flight': inFlight, ...trainer === null ? {} : { trainer: trainer.name, 'samples-ahead-mib': trainer.aheadBytesMax / mib }, ...plain, 'min-files': `${minFiles.min}..${minFiles.max}`, 'max-turns': perRole(turnsMax), 'max-context': perRole(tokensMax), 'max-seconds': perRole(commandsMsMax, 1000), strategy,
    arenas: arenas.map(({ target, setup, test }) => ({ target, ...(setup === null ? {} : { setup }), ...(test === null ? {} : { test }) }))
  })
}

/** Where the option is not called as the field is. */
const optionNames: Record<string, string> = { minPassing: 'min-passing', minFailing: 'min-failing', maxOrder: 'max-order', completionTokensMax: 'max-tokens', minScored: 'min-scored' }

/** One figure where both roles have the same. */
const perRole = ({ breaker, solver }: PerRole, unit = 1): number | string => breaker === solver ? breaker / unit : `breaker=${breaker / unit},solver=${solver / unit}`

function parseText (text: string, form: 'toml' | 'json'): Record<string, unknown> {
  let raw: unknown
  try {
    raw = form === 'json' ? JSON.parse(text) : parse(text)
  } catch (error) {
    throw new SparError('OPTION_INVALID', `Cannot read the run document as ${form.toUpperCase()}: ${(error as Error).message}`)
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw new SparError('OPTION_INVALID', 'Cannot read the run document: it is no table of fields')
  return raw as Record<string, unknown>
}

function readArenas (raw: unknown): RunArena[] {
  if (!Array.isArray(raw) || raw.length === 0) throw bad('arenas', 'it takes a list of tables with a target each, at least one')
  if (raw.length > 1000) throw bad('arenas', 'it takes 1000 of them at most')
  return raw.map((entry: unknown, index): RunArena => {
    const table = (typeof entry === 'string' ? { target: entry } : entry) as Record<string, unknown>
    const field = `arenas[${index}]`
    if (typeof table !== 'object' || table === null || typeof table['target'] !== 'string') throw bad(field, 'it takes a target, such as "npm:fast-uri@^3" or the address of a git repository')
    for (const name of Object.keys(table)) {
      if (!arenaFields.includes(name)) throw bad(`${field}.${name}`, `there is no such field. It takes ${arenaFields.join(', ')}`)
      if (typeof table[name] !== 'string') throw bad(`${field}.${name}`, 'it takes a text')
    }
    parseTarget(table['target'])
    return { target: table['target'], setup: (table['setup'] as string | undefined) ?? null, test: (table['test'] as string | undefined) ?? null, opened: null }
  })
}

/** A value as the command line would give it. */
function wordOf (name: string, value: unknown): string {
  if (name === 'strategy' && typeof value === 'object' && value !== null) return Object.entries(value).map(([strategy, weight]) => `${strategy}=${String(weight)}`).join(',')
  if (typeof value !== 'string' && typeof value !== 'number') throw bad(name, 'it takes a text or a number')
  return String(value)
}

type Roles = Partial<Record<'breaker' | 'solver' | 'policy', string | undefined>>
const ofServers = (roles: Roles): Record<string, string> => Object.fromEntries(Object.entries(roles).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== 'node'))
const ofNodes = ({ policy, breaker = policy, solver = policy }: Roles): Partial<RunOptions> => ({ ...(breaker === 'node' ? { breaker } : {}), ...(solver === 'node' ? { solver } : {}) })

function readEpisodes (raw: unknown): number {
  if (raw === 'until stopped') return untilStopped
  if (raw === undefined) return runDefaults.episodes
  if (typeof raw !== 'number' || !Number.isInteger(raw) || raw < 1 || raw > 1_000_000) throw bad('episodes', 'it takes a whole number from 1 to 1000000, or "until stopped"')
  return raw
}

function readInFlight (raw: unknown): number {
  if (raw === undefined) return 8
  if (typeof raw !== 'number' || !Number.isInteger(raw) || raw < 1 || raw > clusterLimits.inFlightMax) throw bad('in-flight', `it takes a whole number from 1 to ${clusterLimits.inFlightMax}`)
  return raw
}

const mib = 2 ** 20

function readTrainer (name: unknown, aheadMib: unknown): RunTrainer | null {
  if (name === undefined && aheadMib !== undefined) throw bad('samples-ahead-mib', 'it says how much a trainer may have before it. Name the trainer too: trainer = "trainer"')
  if (name === undefined) return null
  if (aheadMib !== undefined && (typeof aheadMib !== 'number' || !Number.isInteger(aheadMib) || aheadMib < 1 || aheadMib > 1_048_576)) throw bad('samples-ahead-mib', 'it takes a whole number from 1 to 1048576')
  return { name: checkTrainer(String(name)), aheadBytesMax: aheadMib === undefined ? clusterLimits.aheadBytesMax : aheadMib * mib }
}

/** Without a name: what is played, the seed and the second, so that the next one has another. */
function readName (raw: unknown, target: string, seed: number, now: number): string {
  if (raw !== undefined) return checkName('the name of a run', String(raw))
  const base = target.replace(/^[a-z]+:/, '').replace(/\.git$/, '').split(/[@#\s]/)[0]!.split('/').at(-1)!.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '')
  return checkName('the name of a run', `${base || 'run'}-seed${seed}-${Math.floor(now / 1000).toString(36)}`.slice(-63))
}
