// Lines that a bug brings back from the repository's own history: somebody wrote them for the program, not for a cheat. The
// history is the arena's, which no breaker can add to. Asked only for lines that were objected to.

import { basename } from 'node:path'
import type { Sandbox } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import type { Finding } from '../workers/survey/survey.ts'
import type { VerifyLimits } from './limits.ts'
import { bareGit, execGit } from './tree.ts'

/** A shorter line stands in any history. */
const lineCharsMin = 8

/** Splits findings into those that stay and those of lines that a file of this name once had, as they stand. */
export async function splitByHistory (sandbox: Sandbox, found: readonly Finding[], limits: VerifyLimits, signal?: AbortSignal): Promise<{ fresh: Finding[]; old: Finding[] }> {
  const [fresh, old]: [Finding[], Finding[]] = [[], []]
  for (const finding of found) (await isOld(sandbox, finding, limits, signal) ? old : fresh).push(finding)
  return { fresh, old }
}

async function isOld (sandbox: Sandbox, { rule, path, text }: Finding, limits: VerifyLimits, signal?: AbortSignal): Promise<boolean> {
  // A file that does not parse or cannot be read, and a kept copy, are what they are, wherever they come from.
  if (rule === 'syntax' || rule === 'copy' || rule === 'size' || text.length < lineCharsMin) return false
  const { exitCode, output } = await execGit(sandbox, `( cd -- ${shellQuote(sandbox.tree)} && ${bareGit} log -1 --format=%H -S ${shellQuote(text)} -- ${shellQuote(`:(glob)**/${basename(path)}`)} )`, limits, signal)
  return exitCode === 0 && /^[0-9a-f]{40,64}$/m.test(Buffer.from(output).toString('utf8'))
}
