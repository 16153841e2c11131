// Trying candidates inside the sandbox: a small bash library that the solver writes into its scratch folder, and the
// reading of what it prints. One command tries several candidates: splice the text into the file, run the probe under a
// deadline, count, stop at the first improvement (which stays in place), else put the file back. Offsets are bytes there,
// UTF-16 units here; a file that is not valid UTF-8 cannot be tried.

import type { TestMap } from '../../../domain.ts'
import { shellQuote } from '../../../quote.ts'
import type { Edit } from '../../../workers/mutate/types.ts'

export interface Deadlines { cpuSeconds: number; wallSeconds: number }

export interface TrialSetup extends Deadlines {
  scratch: string
  /** Command that runs the parser, reading the log from standard input. */
  parser: string
}

export interface Trial { index: number; path: string; text: string; edit: Edit }

export interface TrialResult { index: number; passed: number; failed: number; won: boolean }

/** How a probe's log is counted: by the parser, or by its `ok` and `not ok` lines. */
export type Counting = 'map' | 'tap'

/** Each line of output that is ours starts with it. */
const mark = '#solver#'

/**
 * `run SCRIPT` leaves `log` and `map` in scratch. `try INDEX PATH HEAD TAIL TEXT` tries one candidate with $tests and
 * keeps the first that makes more pass than $best. `": "passed` cannot occur inside a JSON string: quotes are escaped.
 */
export function trialLibrary ({ scratch, parser, cpuSeconds, wallSeconds }: TrialSetup): string {
  return `S=${shellQuote(scratch)}
export PYTHONDONTWRITEBYTECODE=1
limited () { ( ulimit -t ${cpuSeconds} 2>/dev/null; exec timeout -k 1 ${wallSeconds} bash "$1" ) > "$S/log" 2>&1 < /dev/null; }
parse () { ${parser} < "$S/log" > "$S/map" 2> /dev/null || : > "$S/map"; }
run () { limited "$1"; parse; }
count () {
  if [ "$1" = tap ]; then
    passed=$(grep -cE '^ *ok ' "$S/log"); failed=$(grep -cE '^ *not ok ' "$S/log")
  else
    parse
    passed=$(grep -oE '": *"passed"' "$S/map" | wc -l | tr -d ' '); failed=$(grep -oE '": *"failed"' "$S/map" | wc -l | tr -d ' ')
  fi
}
base () { limited "$tests"; count "$counting"; echo "${mark} base 0 $passed $failed"; }
try () {
  [ -z "$won" ] || return 0
  cp -p -- "$2" "$S/keep"
  { head -c "$3" "$S/keep"; printf %s "$5"; tail -c "+$4" "$S/keep"; } > "$2"
  limited "$tests"; count "$counting"
  if [ "$passed" -gt "$best" ]; then won=$1; echo "${mark} won $1 $passed $failed"
  else echo "${mark} trial $1 $passed $failed"; cp -p -- "$S/keep" "$2"; fi
}
`
}

/** Runs one script; shows the processor seconds that it took, its map, and the end of its log. */
export function runCommand (library: string, script: string, logBytes: number): string {
  return `. ${shellQuote(library)}; TIMEFORMAT='${mark} took %U %S'; { time run ${shellQuote(script)}; } 2>&1; cat "$S/map"; echo; ` +
    `echo "${mark} log"; tail -c ${logBytes} "$S/log"`
}

export interface ScriptRun { results: TestMap; log: string; cpuSeconds: number }

export function readRun (output: string): ScriptRun {
  const [, user = '0', system = '0', map = '', log = ''] = /^#solver# took ([\d.]+) ([\d.]+)\n([^]*?)\n#solver# log\n([^]*)$/m.exec(output) ?? []
  return { results: readMap(map) ?? {}, log, cpuSeconds: Number(user) + Number(system) }
}

/** Runs the probe once without a change. */
export const baseCommand = (library: string, probe: string, counting: Counting): string =>
  `. ${shellQuote(library)}; tests=${shellQuote(probe)}; counting=${counting}; base`

/** Tries candidates in order; the winner, if any, is left in the tree. */
export function batchCommand (library: string, probe: string, counting: Counting, best: number, trials: readonly Trial[]): string {
  return [
    `. ${shellQuote(library)}; tests=${shellQuote(probe)}; counting=${counting}; best=${best}; won=`,
    ...trials.map(trial => {
      const [index, path, head, tail, text] = trialArguments(trial)
      return `try ${index} ${shellQuote(path)} ${head} ${tail + 1} ${shellQuote(text)}`
    })
  ].join('\n')
}

/** Index, path, bytes before the edit, offset of the bytes after it, text between them. */
export function trialArguments ({ index, path, text, edit }: Trial): [number, string, number, number, string] {
  return [index, path, Buffer.byteLength(text.slice(0, edit.start)), Buffer.byteLength(text.slice(0, edit.end)), edit.text]
}

export function readTrials (output: string): TrialResult[] {
  return [...output.matchAll(/^#solver# (base|trial|won) (\d+) (\d+) (\d+)$/gm)].map(([, word, index, passed, failed]) => (
    { index: Number(index), passed: Number(passed), failed: Number(failed), won: word === 'won' }
  ))
}

function readMap (text: string): TestMap | null {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
    return Object.fromEntries(Object.entries(value).filter(([, status]) => status === 'passed' || status === 'failed')) as TestMap
  } catch { return null }
}

export const applyEdit = (text: string, edit: Edit): string => text.slice(0, edit.start) + edit.text + text.slice(edit.end)
