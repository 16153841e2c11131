// Small arenas from files, and plays of a policy in them: the real process sandbox, the real tools, real test runners.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Arena, BugParams, Observation, RolloutTask, Strategy, ToolCall, Turn } from '../../src/domain.ts'
import type { Policy, Sandbox, Sandboxes } from '../../src/ports.ts'
import { executeTool, toolLimits } from '../../src/rollout/tools.ts'

/** Texts by path: all files of one commit. */
export type Files = Record<string, string>

const git = (cwd: string, ...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=n', '-c', 'user.email=n@example.org', '-c', 'commit.gpgsign=false', ...args], { cwd, encoding: 'utf8', stdio: 'pipe' })

/** An arena folder whose history are these commits, oldest first. */
export function makeArena (dir: string, commits: readonly Files[], about: Partial<Arena> = {}): Arena {
  const tree = join(dir, 'tree')
  mkdirSync(tree, { recursive: true })
  mkdirSync(join(dir, 'git'))
  git(tree, 'init', '-q', '-b', 'main')
  for (const [index, files] of commits.entries()) {
    if (index > 0) git(tree, 'rm', '-rqf', '.')
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(tree, path)), { recursive: true })
      writeFileSync(join(tree, path), text)
    }
    git(tree, 'add', '-A')
    git(tree, 'commit', '-q', '--allow-empty', '-m', `release ${index + 1}`)
  }
  const commit = git(tree, 'rev-parse', 'HEAD').trim()
  for (const name of readdirSync(tree)) if (name === '.git') renameSync(join(tree, name), join(dir, 'git', name))
  return {
    id: commit.slice(0, 16), target: 'fixture', name: 'fixture', commit, tree: commit, image: null, imagePath: null, dir,
    ecosystem: 'node', runner: 'node:test', testCommand: null, mounts: [], path: [], env: {}, testFiles: [], commits: commits.length, ...about
  }
}

export const openSandbox = async (sandboxes: Sandboxes, arena: Arena, view: 'history' | 'tree' = 'history'): Promise<Sandbox> =>
  await sandboxes.open({ arena, view, network: 'none', label: { run: 'test', purpose: 'policy' } })

/** Runs a command with limits that a test does not care about. */
export async function shell (sandbox: Sandbox, command: string): Promise<{ exitCode: number | null; text: string }> {
  const { exitCode, output } = await sandbox.exec(command, { timeoutMs: 100_000, outputBytesMax: 4_000_000 })
  return { exitCode, text: Buffer.from(output).toString() }
}

export interface BreakerTaskOptions { seed?: number; strategy?: Strategy; params?: Partial<BugParams>; turnsMax?: number; testCommand?: string }

export function breakerTask (sandbox: Sandbox, { seed = 1, strategy = 'removal', params = {}, turnsMax = 128, testCommand }: BreakerTaskOptions = {}): RolloutTask {
  return {
    rolloutId: `rollout-${seed}`,
    role: 'breaker',
    strategy,
    params: { minPassing: 10, minFiles: 1, minFailing: 1, ...params },
    seed,
    tree: sandbox.tree,
    scratch: sandbox.scratch,
    testCommand: testCommand ?? null,
    turnsMax,
    tokensMax: 131_072,
    commandMsMax: toolLimits.commandMsMax
  }
}

export interface Played {
  turns: Turn[]
  /** Paths of the last submit; null paths when it named none, null when there was none. */
  submitted: Extract<ToolCall, { tool: 'submit' }> | null
  /** Why the policy ended without a call. */
  fault: string | null
}

/** Plays a task to its submit, or to the end of its turns or tokens (four bytes each). */
export async function playTask (policy: Policy, task: RolloutTask, sandbox: Sandbox): Promise<Played> {
  const session = policy.start(task)
  const turns: Turn[] = []
  let tokensLeft = task.tokensMax
  let observation: Observation | null = null
  try {
    while (turns.length < task.turnsMax && tokensLeft > 0) {
      const reply = await session.next(observation, AbortSignal.timeout(600_000))
      if (reply.call === null || reply.call.tool === 'submit') {
        turns.push({ reply, observation: null })
        return { turns, submitted: reply.call, fault: reply.fault }
      }
      const result = await executeTool(sandbox, reply.call, toolLimits)
      tokensLeft -= Math.ceil((JSON.stringify(reply.call).length + reply.text.length + result.text.length) / 4)
      observation = { ...result, turnsLeft: task.turnsMax - turns.length - 1, tokensLeft }
      turns.push({ reply, observation })
    }
    return { turns, submitted: null, fault: tokensLeft > 0 ? 'no turns left' : 'no tokens left' }
  } finally {
    await session.close()
  }
}
