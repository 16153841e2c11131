// The tree that a solver gets: the bug applied, the tests weakened, and nothing left to read of how it was before. The
// repository is new, with one commit that is the same for the same tree on every machine.

import { reversePatch } from '../artifact/index.ts'
import type { Bug } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Sandbox, SandboxFolders } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import { bugPatches } from './grade.ts'
import { verifyLimits, type VerifyLimits } from './limits.ts'
import { applyPatch, bareGit, execGit } from './tree.ts'
import type { NamedPatch } from './types.ts'

/** What caches and tools leave behind and may hold the original's code. */
const leftovers = ['*.orig', '*.rej', '*.pyc', '__pycache__', '.pytest_cache', '.mypy_cache', '.ruff_cache', '.hypothesis', '.nyc_output', '.tap', '.tox', '.eslintcache', '*.tsbuildinfo']
/** Removed only where the repository's own ignore rules cover them: in some packages these hold the source. */
const buildOutput = ['build', 'dist', 'out', 'coverage', 'htmlcov', '.cache', '.next', '.turbo', '.parcel-cache', 'target']
/** Installed dependencies: neither purged nor committed. */
const environment = ['node_modules', '.venv']

const date = '2000-01-01T00:00:00Z'
/** What was patched must not be told by being the newest. */
const evenDates = `find . \\( ${environment.map(name => `-name ${name}`).join(' -o ')} \\) -prune -o -exec touch -h -d ${date} {} +`

/**
 * Makes a fresh sandbox of the view `tree` into a solver's. Returns the id of the one commit. Throws BUG_INAPPLICABLE
 * where the bug does not fit the arena, and faults of the sandbox.
 */
export async function prepareSolverTree (sandbox: Sandbox, bug: Bug, limits: VerifyLimits = verifyLimits, signal?: AbortSignal): Promise<string> {
  return await prepareTree(sandbox, bug.id, bugPatches(bug), limits, signal)
}

/** The same with any patches on the arena's tree; `name` is what they make, for errors. */
export async function prepareTree (sandbox: Sandbox, name: string, patches: readonly NamedPatch[], limits: VerifyLimits = verifyLimits, signal?: AbortSignal): Promise<string> {
  await run(sandbox, forgetCommand(sandbox), limits, signal)
  for (const patch of patches) {
    const reason = await applyPatch(sandbox, patch, limits, signal)
    if (reason !== null) throw new SparError('BUG_INAPPLICABLE', `Cannot prepare ${name}: ${patch.name} does not apply: ${reason}`)
  }
  return (await run(sandbox, commitCommand(sandbox), limits, signal)).trim()
}

const anyOf = (names: readonly string[]): string => names.map(name => `-name ${shellQuote(name)}`).join(' -o ')

export const purge = `find . \\( ${anyOf(environment)} \\) -prune -o \\( ${anyOf(leftovers)} \\) -prune -exec rm -rf {} +`

/** Of the new repository, as lines of its file: a `git config` for each would be as many programs to start. */
const configuration = ['[core]', 'hooksPath = /dev/null', 'fsmonitor = false', 'autocrlf = false', 'quotePath = true', '[gc]', 'auto = 0', '[maintenance]', 'auto = false', '[commit]', 'gpgSign = false', '[user]', 'name = spar', 'email = spar@localhost']
const readCommit = `{ IFS= read -r head < .git/refs/heads/main && echo "$head"; } 2> /dev/null || ${bareGit} rev-parse HEAD`

/** The folders that ignore rules cover are listed before anything is tracked, then all files are, ignored or not. */
export const commit = `${bareGit} init -q --template= --initial-branch=main . && mkdir -p .git/info && printf '%s\\n' ${[...environment, ...leftovers].map(shellQuote).join(' ')} > .git/info/exclude &&
  printf '%s\n' ${configuration.map(shellQuote).join(' ')} >> .git/config &&
  ${bareGit} ls-files -z --others --ignored --exclude-standard --directory | while IFS= read -r -d '' path; do name=\${path%/}; case "\${name##*/}" in ${buildOutput.join('|')}) rm -rf -- "./$path";; esac; done &&
  ${bareGit} add -A -f -- . ${environment.flatMap(name => [`:(exclude,glob)**/${name}`, `:(exclude,glob)**/${name}/**`]).map(shellQuote).join(' ')} &&
  GIT_AUTHOR_DATE=${date} GIT_COMMITTER_DATE=${date} ${bareGit} commit -q --allow-empty --no-verify --cleanup=verbatim -m 'Initial commit' && { ${readCommit}; }`

/** Removes every repository of the tree. */
export const forgetCommand = ({ tree }: SandboxFolders): string => `( cd -- ${shellQuote(tree)} && find . -name .git -prune -exec rm -rf {} + )`

/** Makes the tree a new repository of one commit, and prints its id. */
export const commitCommand = ({ tree }: SandboxFolders): string => `( cd -- ${shellQuote(tree)} && ${purge} && ${evenDates} && ${commit} )`

async function run (sandbox: Sandbox, command: string, limits: VerifyLimits, signal?: AbortSignal): Promise<string> {
  const { exitCode, output } = await execGit(sandbox, command, limits, signal)
  const text = Buffer.from(output).toString('utf8')
  if (exitCode !== 0) throw new SparError('SOLVER_TREE_FAILED', `Cannot prepare a solver's tree in sandbox ${sandbox.id}: ${text.trim().slice(0, 500)}`)
  return text
}

/** The oracle: the weakening backwards, as the solver is shown it. Bytes that are not UTF-8 are shown as replacement characters. */
export function oraclePatch (bug: Bug): string {
  const known = oracles.get(bug) ?? Buffer.from(reversePatch(bug.files.testWeaken)).toString('utf8')
  oracles.set(bug, known)
  return known
}

/** Of the bugs that are still around: all members of a group are shown the same. */
const oracles = new WeakMap<Bug, string>()
