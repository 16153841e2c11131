// go test. Go runs packages, not files: the script runs the packages that the files stand in, and of them only the tests
// that the files define. The report says packages, so the script says which file defines which test. The parser is awk,
// because a Go image may hold neither Python nor Node.

import { parserOf } from './parsers.ts'
import { scriptHead } from './script.ts'
import type { Runner } from './types.ts'

const body = String.raw`status=0
export GOFLAGS="${'$'}{GOFLAGS-}"
# Events that say nothing about a result; of thousands of subtests they make megabytes.
noise='^[{]"Time":"[^"]*","Action":"(start|run|pause|cont)"|"Output":" *(=== (RUN|PAUSE|CONT|NAME)|--- PASS)'
# One line a test: folder, file, name.
for file in "${'$'}{files[@]}"; do
  folder=$(dirname -- "$file")
  { grep -hoE '^func (Test|Example|Fuzz)[^ (]*\(' -- "$file" || true; } | sed -E 's/^func //; s/\($//' | while IFS= read -r name; do
    [ "$name" = TestMain ] || printf '%s\t%s\t%s\n' "$folder" "$file" "$name"
  done
done > "$work/tests"
cut -f1 "$work/tests" | sort -u > "$work/folders"
while IFS= read -r folder <&3; do
  printf '\n# folder: %s\n' "$folder"
  awk -F'\t' -v folder="$folder" '$1 == folder { printf "# test: %s\t%s\n", $3, $2 }' "$work/tests"
  names=$(awk -F'\t' -v folder="$folder" '$1 == folder { printf "%s%s", separator, $3; separator = "|" }' "$work/tests")
  go test -json -count=1 -vet=off -run "^(${'$'}{names})\$" "./$folder" </dev/null 2>&1 | grep -vE "$noise"
  code=${'$'}{PIPESTATUS[0]}
  [ "$code" -eq 0 ] || status=$code
done 3< "$work/folders"
exit "$status"
`

const parser = String.raw`#!/usr/bin/env bash
# Reads the events of "go test -json"; lines "# test: name<tab>file" say which file defines a test. A test that has
# subtests counts like any other; names stay as the JSON strings they are.
awk '
function field (line, key,    from, text, length_, at, c) {
  from = index(line, "\"" key "\":\"")
  if (from == 0) return ""
  text = substr(line, from + length(key) + 4)
  length_ = length(text)
  for (at = 1; at <= length_; at++) {
    c = substr(text, at, 1)
    if (c == "\\") at++
    else if (c == "\"") return substr(text, 1, at - 1)
  }
  return ""
}
function quoted (text,    at, c, out) {
  # By hand: what a backslash means in a replacement differs between awks.
  out = ""
  for (at = 1; at <= length(text); at++) {
    c = substr(text, at, 1)
    if (c == "\\" || c == "\"") out = out "\\" c
    else if (c == "\t") out = out "\\t"
    else if (c !~ /[[:cntrl:]]/) out = out c
  }
  return out
}
/^# folder: / { split("", files); next }
/^# test: / { split(substr($0, 9), parts, "\t"); files[parts[1]] = parts[2]; next }
/^\{/ {
  head = $0
  # Output events carry what tests print; only what stands before Output is the event.
  if ((cut = index(head, ",\"Output\":")) > 0) head = substr(head, 1, cut - 1)
  action = field(head, "Action")
  name = field(head, "Test")
  if (name == "" || (action != "pass" && action != "fail")) next
  top = name
  sub(/\/.*/, "", top)
  if (!(top in files)) next
  id = quoted(files[top]) "::" name
  if (!(id in status)) order[++count] = id
  if (status[id] != "failed") status[id] = action == "pass" ? "passed" : "failed"
}
END {
  if (count == 0) {
    print "no test result in the log" > "/dev/stderr"
    exit 1
  }
  printf "{"
  for (at = 1; at <= count; at++) printf "%s\"%s\":\"%s\"", (at > 1 ? "," : ""), order[at], status[order[at]]
  print "}"
}'
`

export const goTest: Runner = {
  name: 'go test',
  ecosystem: 'go',
  script: files => scriptHead('go test', files) + body,
  parser: parserOf('go', parser)
}
