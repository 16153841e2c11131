// The words of the product as types. All of it is JSON-shaped, except bytes (Uint8Array), so that it can be kept,
// sent and compared. What each word means stands in docs/architecture.md.

export type Role = 'breaker' | 'solver'
export type Strategy = 'removal' | 'history' | 'direct'
export const strategies: readonly Strategy[] = ['removal', 'history', 'direct']

export type TestStatus = 'passed' | 'failed'
/** What `test_parser.*` prints: test id to status. */
export type TestMap = Record<string, TestStatus>

export type Ecosystem = 'python' | 'node' | 'go'
export type RunnerName = 'pytest' | 'unittest' | 'node:test' | 'tap' | 'tape' | 'mocha' | 'jest' | 'vitest' | 'go test' | 'custom'

/** What the breaker is asked for; every bug is verified against the same figures. */
export interface BugParams {
  /** Tests of the artifact that pass on the original tree, at least. */
  minPassing: number
  /** Code files that the bug changes, at least. */
  minFiles: number
  /** Tests that the bug breaks, at least. */
  minFailing: number
}

/** A repository at a commit with its dependencies installed: the thing that is played on. */
export interface Arena {
  /** Content address: 16 hex digits over commit tree, environment and runner. */
  id: string
  /** The target as the user wrote it. */
  target: string
  /** `owner__name` or `name`, safe in file names. */
  name: string
  /** Commit id of the tree that is played on, and of that tree. */
  commit: string
  tree: string
  /** Digest-pinned image (`sha256:…`), or null when the tree lives in a directory. */
  image: string | null
  /** Absolute path of the tree inside the image; null without an image. */
  imagePath: string | null
  /** Host folder of the arena: `tree/` (files, no .git), `git/` (holds `.git`), `env/` (installed environment). */
  dir: string
  ecosystem: Ecosystem
  runner: RunnerName
  /** The user's own `--test` command, or null. */
  testCommand: string | null
  /** Host folders that a sandbox mounts read-only at the same path (virtual environment, toolchain). */
  mounts: string[]
  /** Folders prepended to PATH in the sandbox. */
  path: string[]
  /** Environment of every command; `{tree}` in a value stands for the tree's path in the sandbox. */
  env: Record<string, string>
  /** Test files whose tests passed when the arena was opened, with the number of passing and failing tests. */
  testFiles: { path: string; passed: number; failed: number }[]
  /** Commits reachable from `commit`: what the history strategy can draw on. */
  commits: number
}

/** File names of the artifact, canonical set. `test_parser.*` is `test_parser.py`, `.js` or `.sh`. */
export interface ArtifactFiles {
  testScript: Uint8Array
  testFiles: Uint8Array
  testParser: Uint8Array
  /** File name of the parser: says, with a shebang, how it is run. */
  parserName: string
  bugInject: Uint8Array
  testWeaken: Uint8Array
  /** Order 2 only: the failed attempt that is applied last. */
  predPatch: Uint8Array | null
}

/** The artifact, immutable; `id` is its content address (`bug-` and 16 hex digits). */
export interface Bug { id: string; order: 1 | 2; parent: string | null; files: ArtifactFiles }

export type CheckName = 'files' | 'parser' | 'script' | 'scope' | 'bug' | 'weaken' | 'inverse' | 'determinism'
export const checkNames: readonly CheckName[] = ['files', 'parser', 'script', 'scope', 'bug', 'weaken', 'inverse', 'determinism']

export interface Check {
  name: CheckName
  /** `skip`: not reached, an earlier check failed. `error`: could not be decided (infrastructure). */
  verdict: 'pass' | 'fail' | 'skip' | 'error'
  reason: string
  evidence: Record<string, unknown>
}

/** How inverse mutation held: every file alone (the paper), or files restored in the groups that need each other. */
export type InverseMode = 'strict' | 'group'

export interface Verdict {
  bugId: string
  /** False when infrastructure kept a check from being decided: no reward follows. */
  decided: boolean
  valid: boolean
  /** The first check that failed, or null. */
  failed: CheckName | null
  mode: InverseMode | null
  checks: Check[]
  /** Code files that the bug changes. */
  files: string[]
  f2p: string[]
  p2p: string[]
  /** Tests left out as flaky. */
  quarantined: string[]
}

/** `solved`, or why not. `failing`: the tests ran, and expected ones fail or have no result. `forged`: they pass whatever they ask for. */
export type GradeOutcome = 'solved' | 'forged' | 'empty' | 'inapplicable' | 'forbidden' | 'failing' | 'no_results' | 'crashed' | 'infra_fault'

/** Whether an attempt repairs the bug. `null`: could not be decided. */
export interface Grade {
  solved: boolean | null
  outcome: GradeOutcome
  reason: string
  /** Expected ids without a result, and expected ids that failed. */
  missing: string[]
  failing: string[]
  evidence: Record<string, unknown>
  /** What looks like cheating, as "code: text" (docs/trust.md); whatever is solved or not. Grades of former versions have none. */
  findings?: string[]
}

/** How a rollout ended. Only the first two carry a reward; the others are issued again or left out. */
export type Outcome = 'scored' | 'policy_fault' | 'infra_fault' | 'cancelled' | 'stale'

// ---- rollouts -------------------------------------------------------------------------------------------------------

export type ToolCall =
  | { tool: 'bash'; command: string }
  /** `search` must match whole lines, exactly once. */
  | { tool: 'edit'; path: string; search: string; replace: string }
  /** Creates or overwrites a file with its parent folders. */
  | { tool: 'create'; path: string; content: string }
  /** Breaker: `paths` of the five files (keys as ArtifactFiles, without predPatch and parserName). Solver: no paths, the tree's diff is taken. */
  | { tool: 'submit'; paths: Record<string, string> | null }

/** What came of a tool call, as the policy sees it. */
export interface Observation {
  /** Exit code of bash; 0 or 1 for the other tools. null: killed. */
  exitCode: number | null
  /** Output (stdout and stderr), cut at the limit. */
  text: string
  truncatedBytes: number
  timedOut: boolean
  turnsLeft: number
  tokensLeft: number
}

/**
 * One policy reply. `call` is null when the reply held no usable tool call; `fault` then says why. `ends`: the policy gives up.
 * `contextTokens`: of the whole conversation with this reply, where the policy knows; else tokens are estimated.
 */
export interface Reply { text: string; call: ToolCall | null; fault: string | null; ends?: true; contextTokens?: number }

export interface Turn { reply: Reply; observation: Observation | null }

/** What a policy is told when a rollout starts. Nothing else may reach it but what its tools answer. */
export type RolloutTask = RolloutTaskBase & (
  | { role: 'breaker'; strategy: Strategy; params: BugParams }
  /** `oraclePatch`: the reversed weakening patch, a git diff over test files. `issue`: a problem in words, told in its place. */
  | { role: 'solver'; oraclePatch: string; issue?: string }
)
interface RolloutTaskBase {
  rolloutId: string
  seed: number
  /** Absolute paths inside the sandbox: the tree, and a private folder outside of it for scripts and notes. */
  tree: string
  scratch: string
  /** The user's own test command, when the arena was opened with one. */
  testCommand: string | null
  turnsMax: number
  tokensMax: number
  commandMsMax: number
}
