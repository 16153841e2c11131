// The capabilities that are handed in. Every port has a real and a memory or local implementation that pass one contract
// suite. Time and chance are ports too, so that a seed replays a run.

import type { Arena, Observation, Reply, RolloutTask } from './domain.ts'
import type { Spill } from './rollout/spill.ts'
import type { ModelCall, Segment } from './workers/codec/tokens.ts'

export interface Clock {
  /** Milliseconds since 1970. */
  now (): number
  sleep (ms: number, signal?: AbortSignal): Promise<void>
  /** Calls after `ms`, unless what it returns is called before: a deadline that is hardly ever met costs no signal and no promise. */
  after (ms: number, call: () => void): () => void
}

/** A seeded stream of chance. `fork` derives an independent stream from a label, whatever was drawn before. */
export interface Random {
  /** Uniform in [0, 1). */
  next (): number
  /** Integer in [0, below). */
  int (below: number): number
  pick<T> (items: readonly T[]): T
  shuffle<T> (items: readonly T[]): T[]
  fork (label: string): Random
}

// ---- sandboxes ------------------------------------------------------------------------------------------------------

export interface SandboxLimits {
  memoryBytes: number
  pids: number
  cpus: number
  /** Largest file a command may write. */
  fileBytes: number
  /** What the sandbox may hold on disk, in bytes and in files and folders. Beyond it the sandbox is ended. */
  diskBytes: number
  diskFiles: number
}

export interface SandboxSpec {
  arena: Arena
  /**
   * `history`: the tree with its .git (breaker). `tree`: the files alone, no .git (verification, grading, solver).
   * `empty`: no tree at all, only the toolchain (parsers).
   */
  view: 'history' | 'tree' | 'empty'
  /** `none` always, except when dependencies are installed while an arena is opened. */
  network: 'none' | 'host'
  /** For labels, leases and diagnostics. `work`: the piece of work that it is for, where the purpose does not name it. */
  label: { run: string; purpose: string; work?: string }
  limits?: Partial<SandboxLimits>
}

export interface ExecOptions {
  /** Deadline; the process tree is killed at it. */
  timeoutMs: number
  /** Output beyond this is dropped and counted; at `outputKillFactor` times it the process tree is killed. */
  outputBytesMax: number
  stdin?: Uint8Array
  signal?: AbortSignal
}

export interface ExecResult {
  /** null: killed by deadline, flood, abort or a disk limit. 137 with `killed: 'memory'` when the memory limit struck. */
  exitCode: number | null
  /** stdout and stderr as they came, at most outputBytesMax: the first half and the last half where it was cut. */
  output: Uint8Array
  /** Bytes left out of `output`. */
  truncatedBytes: number
  killed: null | 'timeout' | 'output' | 'memory' | 'disk' | 'abort'
  durationMs: number
}

/**
 * An isolated copy of an arena. Commands run in one persistent bash (working folder and variables stay), one at a time,
 * starting in `tree`. A command that ends the shell, or is killed, leaves the files as they are: the next command gets a
 * fresh shell. One exception: a sandbox that outgrew a disk limit is ended for good. Its files are removed at once, one command
 * says `killed: 'disk'`, and everything after it throws SANDBOX_DISK_LIMIT (not retryable). Faults of the sandbox itself are thrown as SparError `SANDBOX_LOST` (retryable), never reported as an exit code.
 */
export interface Sandbox {
  readonly id: string
  readonly kind: 'docker' | 'process'
  /** What isolates it: `docker`, `docker:<runtime>` where one was named, `bubblewrap`, `namespaces`, `none`. */
  readonly isolation: string
  readonly tree: string
  /** A private writable folder outside the tree. */
  readonly scratch: string
  exec (command: string, options: ExecOptions): Promise<ExecResult>
  /** Relative paths are taken from `tree`. Throws SANDBOX_NO_FILE when there is none, SANDBOX_FILE_TOO_LARGE above the cap. */
  readFile (path: string, bytesMax: number): Promise<Uint8Array>
  /** Creates parent folders. Without `mode` a file that is there keeps its own, a new one gets 0o644. Throws SANDBOX_WRITE_FAILED (disk full, path is a folder). */
  writeFile (path: string, bytes: Uint8Array, mode?: number): Promise<void>
  /** Bytes left on the disk under it, asked from outside: nothing in it has a say. Null, or no method: nobody here can ask. */
  room? (): Promise<number | null>
  /** Idempotent: kills what runs and removes every trace. */
  destroy (): Promise<void>
}

/** Where a sandbox has its two folders: what commands for it are written with. */
export type SandboxFolders = Pick<Sandbox, 'tree' | 'scratch'>

export interface Sandboxes {
  readonly kind: 'docker' | 'process'
  open (spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox>
  /** Removes what dead owners left behind (containers, mounts, processes, folders); returns what it removed. */
  reap (): Promise<{ removed: string[] }>
  /** Destroys every open sandbox. Idempotent. */
  close (): Promise<void>
}

// ---- policies -------------------------------------------------------------------------------------------------------

/** A model endpoint at a weights version, or a program that plays like one. */
export interface Policy {
  readonly name: string
  /** Of now: weights may be updated while rollouts go on. */
  readonly version: string
  /** Where what is said in its rollouts is kept while they are in flight; null or missing: in the heap. */
  readonly spill?: Spill | null
  start (task: RolloutTask): PolicySession
}

/**
 * Which weights sample now, from whatever publishes them: asked at every turn of a model, so that a rollout which an update
 * meets says what sampled each of its tokens. What a server says of itself goes before it.
 */
export interface PolicyVersions { current (): string }

/** One rollout of a policy. `next(null)` asks for the first reply; a rejection is an infrastructure fault. */
export interface PolicySession {
  next (observation: Observation | null, signal: AbortSignal): Promise<Reply>
  /** What the rollout cost in calls and tokens so far; a program has none and leaves it out. */
  trace? (): PolicyTrace
  /** The last call that it cost, answered or not; a program has none and leaves it out. */
  readonly lastCall?: ModelCall | null
  close (): Promise<void>
}

export interface PolicyTrace {
  calls: ModelCall[]
  segments: Segment[]
  /** Why nothing can be trained on the tokens, or null. */
  untrainable: string | null
}
