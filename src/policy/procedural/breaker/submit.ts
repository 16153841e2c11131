// The end of a breaker's play: both diffs are written by git, checked to apply one after the other to the original, and
// handed in.

import { shellQuote } from '../../../quote.ts'
import { act, type Play } from '../session.ts'
import type { ToolTree } from '../tree.ts'
import type { Suite } from './suite.ts'

const gitDiff = 'git -c core.quotePath=true diff --no-renames --binary --full-index --no-ext-diff --no-textconv --no-color -U3 --src-prefix=a/ --dst-prefix=b/'

/** The bug is in the tree, the tests are untouched. A string says what is wrong. */
export async function * writeBugDiff (tree: ToolTree, paths: readonly string[]): Play<string | null> {
  const file = shellQuote(diffPaths(tree).bugInject)
  const { text, exitCode } = yield * tree.run('I write the diff of the code: this is the bug.',
    `${gitDiff} -- ${paths.map(shellQuote).join(' ')} > ${file} && git diff --name-only -z | tr '\\0' '\\n' && test -s ${file}`)
  return exitCode === 0 ? null : `The diff of the bug could not be written: ${text.slice(0, 300)}`
}

/** The weakening is on top. */
export async function * writeWeakDiff (tree: ToolTree, paths: readonly string[]): Play<string | null> {
  const { bugInject, testWeaken } = diffPaths(tree)
  const index = shellQuote(`${tree.task.scratch}/check.index`)
  const onIndex = `GIT_INDEX_FILE=${index} git`
  const { text, exitCode } = yield * tree.run('I write the diff of the tests, and check that both diffs apply to the original one after the other.',
    `${gitDiff} -- ${paths.map(shellQuote).join(' ')} > ${shellQuote(testWeaken)} && test -s ${shellQuote(testWeaken)} && rm -f ${index} && ${onIndex} read-tree HEAD && ` +
    `${onIndex} apply --cached ${shellQuote(bugInject)} && ${onIndex} apply --cached ${shellQuote(testWeaken)} && rm -f ${index} && git diff --stat`)
  return exitCode === 0 ? null : `The diffs do not apply one after the other: ${text.slice(0, 300)}`
}

export const diffPaths = (tree: ToolTree): { bugInject: string; testWeaken: string } => ({
  bugInject: `${tree.task.scratch}/bug_inject.diff`, testWeaken: `${tree.task.scratch}/test_weaken.diff`
})

export async function * submit (tree: ToolTree, suite: Suite, sentence: string): Play<void> {
  const { script, files, parser } = suite.paths
  yield * act(sentence, { tool: 'submit', paths: { testScript: script, testFiles: files, testParser: parser, ...diffPaths(tree) } })
}
