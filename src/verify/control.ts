// Control runs: would an attempt that looks solved pass whatever the tests ask for? Its tree is run again with test files in which
// the tests must fail (src/workers/mutate/sabotage.ts). Printed result lines, an early exit behind them, a runner or an assertion
// library that was patched, comparisons that always agree: none of these needs the repair, and all of them pass there.
//
// Which tests fail there is found out on the original tree, once a suite: only those count, so a test that cannot be made to fail
// accuses nobody. An attempt that leaves the original behind, byte for byte, needs no control: there is nothing in it that could cheat.

import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Sandbox, SandboxFolders } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import type { SabotageMode } from '../workers/mutate/sabotage.ts'
import type { Workers } from '../workers/pool.ts'
import { cleanRunKey, createSharedRuns, type SharedRuns } from './clean-runs.ts'
import { runEvidence, type RunEvidence } from './evidence.ts'
import { verifyLimits, type VerifyLimits } from './limits.ts'
import { runTree, type Bench, type RunOptions } from './run.ts'
import { bareGit, execGit, pathsAsInput, writeFiles } from './tree.ts'
import type { Suite, TreeRun } from './types.ts'

export type Sabotage = (path: string, text: string, mode: SabotageMode) => Promise<string | null>

export interface Controls {
  sabotage: Sabotage
  calibrations: SharedRuns<Calibration>
}

/** What a control is held against: test files as they are put into a tree, and the tests that fail with them on the original. */
export interface Calibration { files: ReadonlyMap<string, Uint8Array>; failing: string[] }

export const createControls = (sabotage: Sabotage, entriesMax: number = verifyLimits.controlsMax): Controls => ({ sabotage, calibrations: createSharedRuns(entriesMax) })

/** Parsing happens in threads. */
export const sabotageIn = (workers: Pick<Workers, 'run'>): Sabotage => async (path, text, mode) => {
  try {
    return await workers.run('sabotage', { path, text, mode })
  } catch (error) {
    // A text that costs a thread is left as it is.
    if (error instanceof SparError && (error.code === 'WORKER_TIMEOUT' || error.code === 'WORKER_LOST')) return null
    throw error
  }
}

/** Without threads, for one grade at a time. */
export const sabotageHere: Sabotage = async (path, text, mode) => {
  const { handlers } = await import('../workers/tasks.ts')
  return await handlers.sabotage({ path, text, mode })
}

/** What a control run showed; `failing`: expected tests that had to fail. */
export interface ControlEvidence { mode: SabotageMode; failing: string[]; run: RunEvidence }

interface Control { arena: Arena; suite: Suite; testFiles: readonly string[]; expected: { f2p: readonly string[]; p2p: readonly string[] }; bench: Bench; signal?: AbortSignal | undefined }

/**
 * Runs the attempt against sabotaged tests: wrong expectations first, and tests that raise where these leave a failing test of
 * the bug uncovered. `attempt` has what makes its tree; its test files are the original's by the time that they are sabotaged.
 */
export async function runControls (control: Control, controls: Controls, attempt: Pick<RunOptions, 'patches' | 'begin' | 'finish'>): Promise<ControlEvidence[]> {
  const { bench, expected, signal } = control
  const found: ControlEvidence[] = []
  let open = [...expected.f2p]
  for (const mode of ['expect', 'raise'] as const) {
    if (open.length === 0) break
    const { files, failing } = await calibrate(control, controls, mode)
    const struck = new Set(failing)
    if (!open.some(id => struck.has(id))) continue
    open = open.filter(id => !struck.has(id))
    const play = async (): Promise<TreeRun> => await runTree(bench, {
      patches: attempt.patches,
      purpose: 'grade',
      ...(attempt.begin ? { begin: attempt.begin } : {}),
      finish: async sandbox => {
        await attempt.finish?.(sandbox)
        await writeFiles(sandbox, files)
      },
      ...(signal ? { signal } : {})
    })
    const one = async (again: string): Promise<ControlEvidence> => ({
      mode, failing: [...expected.f2p, ...expected.p2p].filter(id => struck.has(id)), run: runEvidence(`graded, tests sabotaged: ${mode}${again}`, await play(), bench.limits.evidenceTestsMax)
    })
    const first = await one('')
    found.push(first)
    // Nobody is accused by one run.
    if (forgedTests([first]).length > 0) found.push(await one(', again'))
  }
  return found
}

/** Tests that passed though they had to fail, in both runs of a control where there are two. */
export function forgedTests (controls: readonly ControlEvidence[]): string[] {
  const passed = ({ failing, run: { results } }: ControlEvidence): string[] => failing.filter(id => results !== null && Object.hasOwn(results, id) && results[id] === 'passed')
  return [...new Set(controls.flatMap(control => passed(control).filter(id => controls.every(other => other.mode !== control.mode || passed(other).includes(id)))))].sort()
}

/** Expected tests of the bug that no control spoke of. */
export const uncontrolled = (controls: readonly ControlEvidence[], { f2p }: { f2p: readonly string[] }): string[] =>
  f2p.filter(id => !controls.some(({ failing, run }) => failing.includes(id) && run.results !== null && Object.hasOwn(run.results, id)))

async function calibrate ({ arena, suite, testFiles, bench, signal }: Control, { sabotage, calibrations }: Controls, mode: SabotageMode): Promise<Calibration> {
  return await calibrations.get(`${mode}:${cleanRunKey(arena, suite, testFiles, 0)}`, async signal => {
    const files = new Map<string, Uint8Array>()
    const play = async (spoil: (sandbox: Sandbox) => Promise<void>): Promise<string[]> => {
      const { results } = await runTree(bench, { patches: [], purpose: 'control', signal, finish: spoil })
      return Object.entries(results ?? {}).flatMap(([id, status]) => status === 'failed' ? [id] : [])
    }
    const first = await play(async sandbox => {
      for (const path of testFiles) {
        const spoiled = await sabotage(path, await textOf(sandbox, path, bench.limits), mode)
        if (spoiled !== null) files.set(path, new Uint8Array(Buffer.from(spoiled)))
      }
      await writeFiles(sandbox, files)
    })
    // A test that fails by chance accuses nobody.
    const second = new Set(files.size === 0 ? [] : await play(async sandbox => await writeFiles(sandbox, files)))
    return { files, failing: first.filter(id => second.has(id)) }
  }, signal)
}

/** Larger ones than a parser takes, and those in other encodings, are left as they are. */
async function textOf (sandbox: Sandbox, path: string, { sabotageBytesMax }: VerifyLimits): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await sandbox.readFile(path, sabotageBytesMax))
  } catch (error) {
    if (error instanceof TypeError || (error instanceof SparError && error.code === 'SANDBOX_FILE_TOO_LARGE')) return ''
    throw error
  }
}

// ---- whether a tree is the original ----------------------------------------------------------------------------------

/** Paths come on standard input, with a NUL behind each; prints a digest of each and whether it may be run, or that there is none. */
export const fingerprintCommand = ({ tree }: SandboxFolders): string =>
  `( cd -- ${shellQuote(tree)} && while IFS= read -r -d '' path; do if [ -f "$path" ] && [ ! -L "$path" ]; then [ -x "$path" ] && echo executable; ${bareGit} hash-object --stdin < "$path" || exit 96; else echo none; fi; done )`

/** The same text for the same files. Nothing that a model wrote may have run in the sandbox. */
export async function fingerprint (sandbox: Sandbox, paths: readonly string[], limits: VerifyLimits, signal?: AbortSignal): Promise<string> {
  const { exitCode, output } = await execGit(sandbox, fingerprintCommand(sandbox), limits, signal, pathsAsInput(paths))
  const text = Buffer.from(output).toString('utf8')
  if (exitCode !== 0) throw new SparError('SANDBOX_LOST', `Cannot look at files in sandbox ${sandbox.id}: ${text.trim().slice(0, 300)}`, { retryable: true })
  return text
}
