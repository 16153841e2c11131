// A look at the script: it runs on the buggy tree with every file of test_files.txt made unreadable, twice in the same sandbox,
// and the second time counts. Whoever runs tests has none to tell of; whoever prints results has them still. Pure.

import type { TestMap } from '../domain.ts'
import { patternQuote } from '../quote.ts'

/** No test file in any language. */
export const unreadable = Buffer.from(')]}\n')

export interface Seen { passing: readonly string[]; f2p: readonly string[]; buggy: TestMap; blind: TestMap; testFiles: readonly string[] }

/** What the script cannot know, or null. */
export function forgery ({ passing, f2p, buggy, blind, testFiles }: Seen): string | null {
  const isTold = (id: string): boolean => Object.hasOwn(blind, id)
  if (!passing.some(isTold)) return null
  for (const file of testFiles) {
    const tests = testsOf(file, passing)
    const passed = tests.find(id => isTold(id) && blind[id] === 'passed')
    if (passed !== undefined) return `${JSON.stringify(passed)} passes though ${file} cannot be read`
    // A runner may say of every test of a file that it failed, but cannot know some of them.
    const told = tests.filter(isTold)
    if (told.length > 0 && told.length < tests.length) return `it still tells of ${JSON.stringify(told[0])}, of the tests of ${file} only ${told.length} of ${tests.length}, though that file cannot be read`
  }
  // Names without files: the weakening, which touches these files, changes something, so they cannot mean nothing.
  const isUnmoved = passing.every(id => blind[id] === buggy[id]) && f2p.length < passing.length
  return isUnmoved ? `all of ${passing.length} tests have the same results though no test file can be read` : null
}

/** Tests whose names hold this path as it stands, and more than it: a result for a whole file says only that a runner tried it. */
function testsOf (file: string, ids: readonly string[]): string[] {
  const path = new RegExp(`(?<![\\w/-])(?:\\./)?${patternQuote(file)}(?![\\w./-])`)
  return ids.filter(id => path.test(id) && /\w/.test([file, file.split('/').at(-1)!].reduce((left, part) => left.replaceAll(part, ''), id)))
}
