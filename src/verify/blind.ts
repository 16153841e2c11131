// A look at the script: it runs on the buggy tree with every file of test_files.txt made unreadable, twice in the same sandbox,
// and the second time counts. Whoever runs tests has none to tell of; whoever prints results has them still. Pure.

import { fileOf } from './compare.ts'
import type { TestMap } from '../domain.ts'

/** No test file in any language. */
export const unreadable = Buffer.from(')]}\n')

export interface Seen { passing: readonly string[]; f2p: readonly string[]; buggy: TestMap; blind: TestMap; testFiles: readonly string[] }

/** What the script cannot know, or null. */
export function forgery ({ passing, f2p, buggy, blind, testFiles }: Seen): string | null {
  const known = passing.filter(id => Object.hasOwn(blind, id))
  if (known.length === 0) return null
  const named = passing.filter(id => testFiles.some(file => id.includes(file)))
  const passed = named.find(id => Object.hasOwn(blind, id) && blind[id] === 'passed' && !isFile(id, testFiles))
  if (passed !== undefined) return `${JSON.stringify(passed)} passes though ${fileOf(passed, testFiles)} cannot be read`
  // A runner may say of every test of a file that it failed, but cannot know some of them.
  for (const file of testFiles) {
    const tests = named.filter(id => fileOf(id, testFiles) === file && !isFile(id, testFiles))
    const told = tests.filter(id => Object.hasOwn(blind, id))
    if (told.length > 0 && told.length < tests.length) return `it still tells of ${JSON.stringify(told[0])}, of the tests of ${file} only ${told.length} of ${tests.length}, though that file cannot be read`
  }
  // Names without files: the weakening, which touches these files, changes something, so they cannot mean nothing.
  const isUnmoved = passing.length > 1 && passing.every(id => blind[id] === buggy[id]) && f2p.length < passing.length
  return isUnmoved ? `all of ${passing.length} tests have the same results though no test file can be read` : null
}

/** A result for a whole file says that a runner tried it. */
function isFile (id: string, testFiles: readonly string[]): boolean {
  const file = fileOf(id, testFiles)
  if (file === null) return false
  const [name, folder] = [file.split('/').at(-1)!, file.split('/').slice(0, -1)]
  return !/\w/.test([file, name, ...folder].reduce((left, part) => left.replaceAll(part, ''), id))
}
