// How a repository's tests are found and run. The table is used when an arena is opened and by the procedural policies,
// which detect the runner through their own tools (`TreeReader` over the sandbox).

import type { Ecosystem, RunnerName } from '../../domain.ts'

/** Read access to a tree, wherever it lives. Paths are relative with forward slashes. */
export interface TreeReader {
  /** Files of the tree, without .git and installed dependencies. */
  list (): Promise<string[]>
  /** Text of a file, or null where there is none (or it is not UTF-8). */
  read (path: string): Promise<string | null>
}

export interface FoundRunner {
  runner: RunnerName
  ecosystem: Ecosystem
  /** Why: the file and the line that gave it away, for people. */
  evidence: string
  /** Files that hold tests, sorted. */
  testFiles: string[]
}

export interface Runner {
  name: RunnerName
  ecosystem: Ecosystem
  /**
   * `test_script.sh`: runs just these test files from the root of the tree and prints one result a test. `tells` `skipped`: of tests
   * that are skipped as well, in words that our reader knows (src/workers/testlog) and the parser passes over; as `all` goes without.
   */
  script (files: readonly string[], tells?: 'all' | 'skipped'): string
  /** The parser that matches the script: file name (`test_parser.py`, `.js` or `.sh`) and source; raw log on stdin, one JSON object on stdout. */
  parser: { name: string; source: string }
}
