// What a parser that is not one of ours must not do, tried once for each suite on the log of the clean tree: find tests where
// there are none, say something else under another name, or name what left no trace in the log.

import type { TestMap } from '../domain.ts'

/** No runner's words. */
export const unrelatedLog = 'The quick brown fox jumps over the lazy dog.\nNothing to see here: 12 monkeys, 3 amigos.\n'

export type ProbeName = 'empty' | 'unrelated' | 'renamed'

/** Where the copy of a parser stands: only its name and folder are different. */
export const otherPath = (scratch: string, parserName: string): string => `${scratch}/elsewhere/copy_of_it${/\.[A-Za-z0-9]+$/.exec(parserName)?.[0] ?? ''}`

const shown = (map: TestMap): string => Object.keys(map).slice(0, 3).map(id => JSON.stringify(id.slice(0, 200))).join(', ')

/** Why a reading is no reading, or null. */
export const inventedFrom = (what: string, map: TestMap): string | null => {
  const count = Object.keys(map).length
  return count === 0 ? null : `the parser finds ${count} tests in ${what}: ${shown(map)}`
}

/** Searches of the whole log for words that do not stand alone in it. */
const searchesMax = 1_000

const wordPattern = /[\p{L}\p{N}]+/gu

/** A test of whose name no word stands in the log, which cannot have been read there; null where each has one. */
export function untraced (map: TestMap, log: string): string | null {
  const words = new Set(log.toLowerCase().match(wordPattern))
  // Words inside of others are searched for, which takes the whole log each time.
  let searches = 0
  const isThere = (word: string): boolean => words.has(word) || (searches++ >= searchesMax) || log.includes(word)
  const odd = Object.keys(map).find(id => {
    const own = id.toLowerCase().match(wordPattern)
    return own !== null && !own.some(isThere)
  })
  return odd === undefined ? null : `the parser names ${JSON.stringify(odd.slice(0, 200))}, of which the log says no word`
}
