// Lines that a bug brings back from the repository's own history: somebody wrote them for the program, not for a cheat. The
// history is the arena's, which no breaker can add to. Asked only for lines that were objected to.

import { basename } from 'node:path'
import { toPlain } from '../errors.ts'
import type { Sandbox } from '../ports.ts'
import { globQuote, shellQuote } from '../quote.ts'
import type { Finding } from '../workers/survey/survey.ts'
import type { VerifyLimits } from './limits.ts'
import { bareGit, execGit } from './tree.ts'

/** From so many on that stay, the others are not looked for; nor are more than so many in all. What is not looked for stays. */
const freshEnough = 3
const searchesMax = 20
/** A shorter line stands in any history. */
const lineCharsMin = 8

/** Splits findings into those that stay and those of lines that a file of this name once had, as they stand. */
export async function splitByHistory (sandbox: Sandbox, found: readonly Finding[], limits: VerifyLimits, signal?: AbortSignal): Promise<{ fresh: Finding[]; old: Finding[] }> {
  const [fresh, old]: [Finding[], Finding[]] = [[], []]
  let searches = 0
  for (const finding of found) (fresh.length < freshEnough && searches++ < searchesMax && await isOld(sandbox, finding, limits, signal) ? old : fresh).push(finding)
  return { fresh, old }
}

async function isOld (sandbox: Sandbox, { rule, path, text }: Finding, limits: VerifyLimits, signal?: AbortSignal): Promise<boolean> {
  // A file that does not parse or cannot be read, and a kept copy, are what they are, wherever they come from.
  if (rule === 'syntax' || rule === 'copy' || rule === 'size' || text.length < lineCharsMin) return false
  const searched = await execGit(sandbox, `( cd -- ${shellQuote(sandbox.tree)} && ${bareGit} log -1 --format=%H -S ${shellQuote(text)} -- ${shellQuote(`:(glob)**/${globQuote(basename(path))}`)} )`, limits, signal)
    // A history that takes too long to search exempts nothing.
    .catch((error: unknown) => { if (toPlain(error).code === 'VERIFY_GIT_KILLED') return null; throw error })
  if (searched === null) return false
  const { exitCode, output } = searched
  return exitCode === 0 && /^[0-9a-f]{40,64}$/m.test(Buffer.from(output).toString('utf8'))
}
