// The one diff from the original sources to those of a bug. Of the first order it is the bug's own patch. A bug of the
// second order has another patch on top: where the two touch different files they are joined, where they share one only
// git can tell what lies between the two trees, and it does so in a sandbox, since a model wrote both.

import { readPatch, touchedPaths } from '../artifact/index.ts'
import type { Bug } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Sandbox } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import { canonicalDiff } from '../rollout/collect.ts'
import { verifyLimits } from '../verify/limits.ts'
import { applyPatch, bareGit, execGit } from '../verify/tree.ts'

/** Opens a fresh sandbox with the original tree. */
export type OpenTree = () => Promise<Sandbox>

export async function sourceDiff ({ id, files }: Bug, openTree: OpenTree): Promise<Uint8Array> {
  if (files.predPatch === null) return files.bugInject
  const [bug, attempt] = [files.bugInject, files.predPatch].map(bytes => readPatch(bytes))
  const taken = new Set(bug!.flatMap(touchedPaths))
  const paths = attempt!.flatMap(touchedPaths)
  if (!paths.some(path => taken.has(path))) return joinPatches([files.bugInject, files.predPatch])
  const sandbox = await openTree()
  try {
    return await diffTrees(sandbox, [files.bugInject, files.testWeaken, files.predPatch], [...new Set([...taken, ...paths])], id)
  } finally {
    await sandbox.destroy()
  }
}

/** Patches over different files as one. */
export const joinPatches = (patches: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat(patches.flatMap(bytes => bytes.length > 0 && bytes.at(-1) !== 0x0a ? [bytes, Buffer.from('\n')] : [bytes]))

/** Only these paths are looked at, so the tree may be as large as it likes. Attributes of the tree have no say. */
async function diffTrees (sandbox: Sandbox, patches: Uint8Array[], paths: readonly string[], id: string): Promise<Uint8Array> {
  const [tree, repository, target] = [sandbox.tree, `${sandbox.scratch}/source.git`, `${sandbox.scratch}/source.diff`].map(shellQuote)
  const git = `GIT_DIR=${repository} GIT_WORK_TREE=${tree} ${bareGit}`
  const keep = (name: string): string => `( cd -- ${tree} && export GIT_INDEX_FILE=${repository}/${name} && rm -f "$GIT_INDEX_FILE" &&
    for path in ${paths.map(path => shellQuote(`./${path}`)).join(' ')}; do if [ -e "$path" ]; then ${git} add -f -- "$path" || exit 1; fi; done && ${git} write-tree > ${repository}/${name}.tree )`
  const run = async (command: string): Promise<void> => {
    const { exitCode, output } = await execGit(sandbox, command, verifyLimits)
    if (exitCode !== 0) throw new SparError('EXPORT_NO_GOLD', `Cannot export ${id}: the diff of its sources cannot be taken: ${Buffer.from(output).toString('utf8').trim().slice(0, 500)}`)
  }
  await run(`${bareGit} init -q --bare --template= ${repository} && mkdir -p ${repository}/info && printf '* -text -eol -filter -ident -working-tree-encoding\\n' > ${repository}/info/attributes && ${keep('original')}`)
  for (const [index, bytes] of patches.entries()) {
    const reason = await applyPatch(sandbox, { name: `patch ${index + 1}`, bytes }, verifyLimits)
    if (reason !== null) throw new SparError('EXPORT_NO_GOLD', `Cannot export ${id}: its patch ${index + 1} does not apply: ${reason}`)
  }
  await run(`${keep('bug')} && ${git} diff ${canonicalDiff} "$(cat ${repository}/original.tree)" "$(cat ${repository}/bug.tree)" > ${target}`)
  return await sandbox.readFile(`${sandbox.scratch}/source.diff`, verifyLimits.scriptOutputBytesMax)
}
