// Every limit of a sandbox, with its name and default, in one place. What holds where:
//   memoryBytes, cpus   docker; process with a writable cgroup (v1 or v2). Without one nothing bounds memory.
//   pids                docker; process with a writable cgroup, and RLIMIT_NPROC where the shell has a user namespace of
//                       its own (always as an ordinary user).
//   fileBytes           everywhere (RLIMIT_FSIZE).
//   diskBytes, diskFiles  everywhere, by measuring (disk.ts): a fast writer overshoots until the next look, and the sandbox
//                       is ended then (`killed: 'disk'`). /tmp and /dev/shm of a container are in memory and have a size.

import { SparError } from '../errors.ts'
import type { SandboxLimits } from '../ports.ts'

export const defaultSandboxLimits: SandboxLimits = {
  memoryBytes: 4 * 2 ** 30,
  pids: 512,
  cpus: 2,
  fileBytes: 2 ** 30,
  diskBytes: 8 * 2 ** 30,
  diskFiles: 1_000_000
}

/** At this many times `outputBytesMax` the command is killed: `killed: 'output'`. */
export const outputKillFactor = 4
/** Open files of one process. */
export const openFilesMax = 4096
/** Sandboxes that are being made at once, for each core: more would start slower, and hold up the event loop in one piece. */
export const startsPerCore = 2
/** Starts in a second for each core, over time: above what a machine or an engine does, so that only a storm meets it. */
export const startsPerSecondPerCore = { docker: 5, process: 25 }
/** A storm's first starts need not wait: as many as this many seconds allow. */
export const startsBurstSeconds = 2
/** From the start of a shell to its first answer. */
export const startMsMax = 20_000
/** How long a kill may take until the sandbox counts as stuck. */
export const killMsMax = 10_000
/** Deadline of one readFile or writeFile. */
export const fileMsMax = 60_000
/** Between two looks at the room that is left on the disk under a sandbox. */
export const diskLookMs = 250
/** What a sandbox holds is measured when that room has shrunk by what it lacked of its limit, or by this share of it, ... */
export const diskStepShare = 1 / 16
/** ... after this time whatever the room says, or after this where the room cannot be asked for. */
export const diskCheckMs = 30_000
export const diskBlindMs = 2_000
/** Share of the time that measuring one sandbox may take. */
export const diskShareMax = 0.25
/** What background processes may print between two commands; beyond it they wait for the next command, whose output it is then. */
export const idleOutputBytesMax = 2 ** 20
/** Sandboxes (containers, and processes over an overlay) that are made ahead, of each of the views (an arena with or without its history, none) that were used last. */
export const preparedMax = 2
export const preparedViewsMax = 3
/** From this many openings of a view on. */
export const preparedAfter = 2
export const preparedDelayMs = 10
/** Control groups that wait for their next sandbox, at most. */
export const idleGroupsMax = 32
/** A lease of another host, or a folder without a lease, counts as dead after this age. */
export const foreignLeaseMsMax = 24 * 3_600_000
export const unleasedMsMax = 60_000

/** Positive integers (cpus: any positive number), or SANDBOX_BAD_LIMIT. */
export function resolveLimits (...layers: (Partial<SandboxLimits> | undefined)[]): SandboxLimits {
  const limits = { ...defaultSandboxLimits }
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer ?? {})) {
      if (value === undefined) continue
      if (!(name in limits)) throw new SparError('SANDBOX_BAD_LIMIT', `Unknown sandbox limit "${name}": the limits are ${Object.keys(limits).join(', ')}`)
      const whole = name === 'cpus' || Number.isSafeInteger(value)
      if (!whole || !(value > 0)) throw new SparError('SANDBOX_BAD_LIMIT', `Sandbox limit ${name} is ${value}: it must be a positive ${name === 'cpus' ? 'number' : 'integer'}`)
      limits[name as keyof SandboxLimits] = value
    }
  }
  return limits
}
