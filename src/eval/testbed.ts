// The image that an instance names: the repository at its commit with everything installed, made for this instance and no other. So
// it is taken as it is: no runner is looked for, nothing is tried, and its commit is not held against the instance's, which such
// images have one of their own on top of.

import { createHash } from 'node:crypto'
import { arenaLimits, type ArenaLimits } from '../arena/limits.ts'
import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Sandbox, Sandboxes } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import { findEngine } from '../sandbox/docker/index.ts'
import { execGit, bareGit } from '../verify/tree.ts'
import { verifyLimits, type VerifyLimits } from '../verify/limits.ts'

/** Where SWE-bench's images have the repository, and the environment that its tests run in, where there is one. */
export const imagePathDefault = '/testbed'
const environmentBin = '/opt/miniconda3/envs/testbed/bin'

/** Throws SANDBOX_NO_ENGINE, ARENA_NO_SUCH_IMAGE, and ARENA_NOT_A_REPOSITORY where the image has no repository at the path. */
export async function openTestbed (image: string, path: string, sandboxes: Pick<Sandboxes, 'open'>, limits: ArenaLimits = arenaLimits): Promise<Arena> {
  const target = `docker:${image}#${path}`
  const engine = await findEngine()
  if (engine === null) throw new SparError('SANDBOX_NO_ENGINE', `Cannot open ${target}: no Docker engine answers. Start Docker, or name the repository with --repo-dir or --arena`)
  const found = await engine.image(image)
  if (found === null) throw new SparError('ARENA_NO_SUCH_IMAGE', `Cannot open ${target}: the engine does not have this image. Pull it (docker pull ${image}) or build it first`)
  const bare: Arena = {
    id: createHash('sha256').update(`${found.id} ${path}`).digest('hex').slice(0, 16), target, name: image.split('/').at(-1)!.replace(/[^\w.-]+/g, '-'), commit: '', tree: '', image: found.id, imagePath: path, dir: '',
    ecosystem: 'python', runner: 'custom', testCommand: null, mounts: [], path: found.path, env: { TZ: 'UTC' }, testFiles: [], commits: 0
  }
  const sandbox = await sandboxes.open({ arena: bare, view: 'history', network: 'none', label: { run: 'eval', purpose: 'testbed' } })
  try {
    const git = `git -c safe.directory='*' -C ${shellQuote(path)}`
    const { exitCode, output } = await sandbox.exec(`${git} rev-parse HEAD 'HEAD^{tree}' && ${git} rev-list --count HEAD && { [ ! -x ${environmentBin}/python ] || echo ${environmentBin}; }`, { timeoutMs: limits.lookupMsMax, outputBytesMax: 64 * 1024 })
    const said = Buffer.from(output).toString('utf8').trim()
    const [commit, tree, commits, environment] = said.split('\n')
    if (exitCode !== 0 || tree === undefined) throw new SparError('ARENA_NOT_A_REPOSITORY', `Cannot open ${target}: there is no git repository there: ${said.slice(0, 300)}. Say where it is with --image-path`)
    return { ...bare, commit: commit!, tree, commits: Number(commits), path: environment === undefined ? bare.path : [environment, ...bare.path] }
  } finally {
    await sandbox.destroy()
  }
}

/** Makes the tree a solver's: the same files as one commit, without the history that goes on to the repair. What git ignores stays, since the image was built with it. */
export async function prepareTestbed (sandbox: Sandbox, limits: VerifyLimits = verifyLimits, signal?: AbortSignal): Promise<string> {
  const command = `( cd -- ${shellQuote(sandbox.tree)} && find . -name .git -prune -exec rm -rf {} + && ${bareGit} init -q --template= --initial-branch=main . &&
    for pair in core.hooksPath=/dev/null core.autocrlf=false gc.auto=0 commit.gpgSign=false user.name=spar user.email=spar@localhost; do ${bareGit} config "\${pair%%=*}" "\${pair#*=}" || exit 1; done &&
    ${bareGit} add -A && ${bareGit} commit -q --allow-empty --no-verify -m 'Initial commit' && ${bareGit} rev-parse HEAD )`
  const { exitCode, output } = await execGit(sandbox, command, limits, signal)
  const said = Buffer.from(output).toString('utf8').trim()
  if (exitCode !== 0) throw new SparError('SOLVER_TREE_FAILED', `Cannot prepare a solver's tree in sandbox ${sandbox.id}: ${said.slice(0, 500)}`)
  return said.split('\n').at(-1)!
}
