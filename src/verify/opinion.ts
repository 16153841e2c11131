// A second opinion on a log: what our reader of the arena's runner makes of it, held against what the artifact's parser
// printed. The reader knows the runner's formats, the parser may be anything that a model wrote. They disagree where a test
// that both name passed for one and failed for the other, or where, with the same naming, one of them has tests that the
// other has not. Where the log is not the runner's own words, or the names differ, nothing is said.

import type { RunnerName, TestMap } from '../domain.ts'
import { doubtful, toTestMap, type LogReading, type LogRunner } from '../workers/testlog/index.ts'
import { sortedMap } from './parser.ts'

export interface Opinion {
  runner: LogRunner
  /** null: not comparable. */
  agrees: boolean | null
  reason: string
  /** Tests that passed for one and failed for the other. */
  contradicted: string[]
  /** What the reader saw, as a parser would print it. */
  results: TestMap
  problems: string[]
}

const readers: Record<RunnerName, LogRunner | null> = {
  pytest: 'pytest', unittest: 'unittest', 'node:test': 'node', tap: 'tap', tape: 'tape', mocha: 'mocha', jest: 'jest', vitest: 'vitest', 'go test': 'go', custom: null
}

/** null: no reader knows how this arena's tests print. */
export const readerOf = (runner: RunnerName): LogRunner | null => readers[runner]

/** Share of the parser's tests that have to be found in the reading before what is missing counts. */
const comparableShare = 0.5

/** `parsed` is what the parser printed. */
export function compareReading (runner: LogRunner, reading: LogReading, parsed: TestMap): Opinion {
  const results = resultsOf(reading)
  const problems = reading.problems.map(({ code }) => code)
  const say = (agrees: boolean | null, reason: string, contradicted: string[] = []): Opinion => ({ runner, agrees, reason, contradicted, results, problems })
  const doubt = doubtful(reading)[0]
  if (reading.tests.size === 0) return say(null, `the log holds no result in the words of ${runner}`)
  if (doubt !== undefined) return say(null, `the log does not agree with itself: ${doubt.code}, ${doubt.what}`)
  const { pairs, onlyParsed, onlyRead } = matchIds(Object.keys(parsed), reading)
  if (pairs.length < comparableShare * Object.keys(parsed).length) return say(null, 'the parser names tests in another way')
  const contradicted = pairs.filter(([parsedId, readId]) => contradicts(parsed[parsedId]!, reading, readId)).map(([id]) => id)
  const shown = (ids: readonly string[]): string => ids.slice(0, 5).map(id => JSON.stringify(id)).join(', ') + (ids.length > 5 ? ` and ${ids.length - 5} more` : '')
  if (contradicted.length > 0) return say(false, `the parser says of ${shown(contradicted)} the opposite of what ${runner} printed`, contradicted)
  const invented = onlyParsed.filter(id => !reading.suites.some(({ name }) => lastWord(name) === lastWord(id)))
  const dropped = onlyRead.filter(id => ['passed', 'failed'].includes(reading.tests.get(id)!))
  // With both, the two name tests in different ways.
  if (invented.length > 0 && dropped.length === 0) return say(false, `the parser names tests that ${runner} did not print: ${shown(invented)}`)
  if (dropped.length > 0 && invented.length === 0) return say(false, `the parser leaves out tests that ${runner} printed: ${shown(dropped)}`)
  return say(true, '')
}

/** Problems that leave the results what they are. */
const harmless = new Set(['DUPLICATE_ID', 'UNFINISHED_TEST', 'EXIT_CONTRADICTS'])

/** What the reader makes of a log of our own script, or null where our parser has to be asked. */
export function certainResults (reading: LogReading): TestMap | null {
  return reading.tests.size > 0 && reading.problems.every(({ code }) => harmless.has(code)) ? resultsOf(reading) : null
}

const resultsOf = (reading: LogReading): TestMap => sortedMap(toTestMap(reading))

function contradicts (status: 'passed' | 'failed', { tests }: LogReading, id: string): boolean {
  const read = tests.get(id)!
  return read !== 'skipped' && (read === 'passed') !== (status === 'passed')
}

const wordsOf = (id: string): string[] => id.split(/::|\s+[>›»]\s+/).map(word => word.trim())
const lastWord = (id: string): string => wordsOf(id).at(-1)!

/** By the whole id, else by its last word where that is one test's alone on both sides. */
function matchIds (parsed: readonly string[], { tests }: LogReading): { pairs: [string, string][]; onlyParsed: string[]; onlyRead: string[] } {
  const byLastWord = uniqueBy([...tests.keys()], lastWord)
  const parsedByLastWord = uniqueBy(parsed, lastWord)
  const pairs: [string, string][] = []
  const onlyParsed: string[] = []
  for (const id of parsed) {
    const word = lastWord(id)
    const found = tests.has(id) ? id : parsedByLastWord.get(word) === id ? byLastWord.get(word) : undefined
    if (found === undefined) onlyParsed.push(id)
    else pairs.push([id, found])
  }
  const read = new Set(pairs.map(([, id]) => id))
  return { pairs, onlyParsed, onlyRead: [...tests.keys()].filter(id => !read.has(id)) }
}

function uniqueBy (ids: readonly string[], keyOf: (id: string) => string): Map<string, string> {
  const found = new Map<string, string | null>()
  for (const id of ids) found.set(keyOf(id), found.has(keyOf(id)) ? null : id)
  return new Map([...found].filter((entry): entry is [string, string] => entry[1] !== null))
}
