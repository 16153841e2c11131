// tap and tape: a test file is a program that prints TAP, so each runs on its own behind a line that names it. tape's
// files run one after the other, as tape itself does; tap's side by side, and the log is put together in order.

import { parserOf, tapParser } from './parsers.ts'
import { findNodeFlags, scriptHead } from './script.ts'
import type { Runner } from './types.ts'

const oneAfterTheOther = String.raw`status=0
for file in "${'$'}{files[@]}"; do
  printf '\n# file: %s\n' "$file"
  node ${'$'}{flags[@]+"${'$'}{flags[@]}"} "$file" </dev/null 2>&1 || status=$?
done
exit "$status"
`

// wait -n would not say which job ended, so files run in batches of as many as there are processors.
const sideBySide = String.raw`status=0
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
[ "$jobs" -le 4 ] || jobs=4
export TAP=1
count=${'$'}{#files[@]}
for ((first = 0; first < count; first += jobs)); do
  pids=()
  for ((at = first; at < first + jobs && at < count; at++)); do
    node ${'$'}{flags[@]+"${'$'}{flags[@]}"} "${'$'}{files[at]}" </dev/null >"$work/$at" 2>&1 &
    pids+=($!)
  done
  for ((at = first; at < first + jobs && at < count; at++)); do
    wait "${'$'}{pids[at - first]}" || status=$?
    printf '\n# file: %s\n' "${'$'}{files[at]}"
    cat "$work/$at"
  done
done
exit "$status"
`

export const tape: Runner = {
  name: 'tape',
  ecosystem: 'node',
  script: files => scriptHead('tape', files) + findNodeFlags + oneAfterTheOther,
  parser: parserOf('node', tapParser('tape'))
}

export const tap: Runner = {
  name: 'tap',
  ecosystem: 'node',
  script: files => scriptHead('tap', files) + findNodeFlags + sideBySide,
  parser: parserOf('node', tapParser('tap'))
}
