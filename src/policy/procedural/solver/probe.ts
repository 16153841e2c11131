// The cheapest run that tells candidates apart: one failing test file, started with as little around it as its runner
// allows. What a probe finds is confirmed with the runner's own script before it is kept, so a probe may only save time.

import { findNodeFlags, scriptHead } from '../../../arena/runners/script.ts'
import type { Runner } from '../../../arena/runners/types.ts'
import type { RunnerName } from '../../../domain.ts'
import type { Counting } from './trials.ts'

export interface Probe {
  /** Bash that runs the files. */
  script: string
  counting: Counting
  /** How a batch of trials may share one process: by forking (forking.ts), by threads (threading.ts), or not at all. */
  shares: 'forks' | 'threads' | null
  /** Node's own options for a program that prints TAP. */
  options: string
}

/** Test files of these runners are programs that print TAP; the options make them do so. */
const programs: Partial<Record<RunnerName, string>> = { 'node:test': '--test-reporter=tap', tape: '', tap: '' }

export function probeOf (runner: Runner, files: readonly string[]): Probe {
  const options = programs[runner.name]
  if (options === undefined) return { script: runner.script(files), counting: 'map', shares: runner.name === 'pytest' ? 'forks' : null, options: '' }
  const script = `${scriptHead('node', files)}${findNodeFlags}export TAP=1
for file in "\${files[@]}"; do node \${flags[@]+"\${flags[@]}"} ${options} "$file" 2>&1; done
`
  return { script, counting: 'tap', shares: 'threads', options }
}
