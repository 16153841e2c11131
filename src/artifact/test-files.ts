// test_files.txt: one relative path a line. Blank lines are left out, a carriage return at the end of a line too, since
// no tool that writes the list means it.

import { SparError } from '../errors.ts'
import { guardPath } from '../workers/diff/index.ts'

/** Throws ARTIFACT_BAD_TEST_FILES, and the codes of workers/diff/guard.ts for a path that reaches outside. */
export function readTestFiles (bytes: Uint8Array): string[] {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new SparError('ARTIFACT_BAD_TEST_FILES', 'Cannot read test_files.txt: it is not UTF-8', { cause: error })
  }
  const paths = text.split('\n').map(line => line.replace(/\r$/, '')).filter(line => line.trim() !== '').map(withoutDot)
  for (const path of paths) guardPath(path)
  return [...new Set(paths)]
}

const withoutDot = (path: string): string => path.replace(/^(?:\.\/)+/, '')
