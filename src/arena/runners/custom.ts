// The user's own `--test` command. `{files}` in it stands for the chosen test files; without it the command runs what it
// runs and the parser reads everything. The format is recognised once, from a sample log: by what our readers make of it, else
// by its signs. The parser is awk, because a sandbox of any ecosystem has that.

import type { Ecosystem } from '../../domain.ts'
import { SparError } from '../../errors.ts'
import { doubtful, readTestLog, type LogRunner } from '../../workers/testlog/index.ts'
import { scriptHead } from './script.ts'
import type { Runner } from './types.ts'

interface Format { name: string; readers: readonly LogRunner[]; sign: RegExp; rules: string }

// Each rule set is awk and calls report(id, "passed" | "failed"). Times are cut off names.
const formats: readonly Format[] = [
  {
    name: 'go test -json',
    readers: ['go'],
    sign: /^\{"Time":"[^"]*","Action":"(?:pass|fail)","Package":"[^"]*","Test":"/gm,
    rules: String.raw`
/^\{/ {
  head = $0
  if ((cut = index(head, ",\"Output\":")) > 0) head = substr(head, 1, cut - 1)
  if (head ~ /"Action":"(pass|fail)"/ && head ~ /"Test":"/) {
    package = head; sub(/.*"Package":"/, "", package); sub(/".*/, "", package)
    name = head; sub(/.*"Test":"/, "", name); sub(/","?.*/, "", name); sub(/"}$/, "", name)
    report(package "::" name, head ~ /"Action":"pass"/ ? "passed" : "failed")
  }
}`
  },
  {
    name: 'pytest',
    readers: ['pytest'],
    sign: /^(?:(?:PASSED|FAILED) \S+::.*|\S+::.* (?:PASSED|FAILED)(?: +\[ *\d+%\])?)$/gm,
    rules: String.raw`
/^[^ ]+::.* (PASSED|FAILED|ERROR)( +\[ *[0-9]+%\])?$/ {
  id = $0; sub(/ +\[ *[0-9]+%\]$/, "", id)
  word = id; sub(/.* /, "", word); sub(/ [A-Z]+$/, "", id)
  report(id, word == "PASSED" ? "passed" : "failed")
  next
}
/^PASSED .*::/ { report(substr($0, 8), "passed"); next }
/^(FAILED|ERROR) .*::/ {
  id = $0; sub(/^[A-Z]+ /, "", id)
  bracket = index(id, "["); dash = index(id, " - ")
  if (bracket > 0 && bracket < dash && (end = index(id, "] - ")) > 0) id = substr(id, 1, end)
  else if (dash > 0 && !(bracket > 0 && bracket < dash)) id = substr(id, 1, dash - 1)
  report(id, "failed")
}`
  },
  {
    name: 'unittest',
    readers: ['unittest'],
    sign: /^\w+ \([\w.]+\).* \.\.\. (?:ok|FAIL|ERROR)$/gm,
    rules: String.raw`
/^[A-Za-z_0-9]+ \([A-Za-z_0-9.]+\).* \.\.\. (ok|FAIL|ERROR)$/ {
  id = $0; sub(/\).*/, ")", id)
  report(id, $NF == "ok" ? "passed" : "failed")
}`
  },
  {
    name: 'go test -v',
    readers: ['go'],
    sign: /^ *--- (?:PASS|FAIL): \S+ \(/gm,
    rules: String.raw`
/^ *--- (PASS|FAIL): / {
  id = $0; sub(/^ *--- [A-Z]+: /, "", id); sub(/ \([0-9.]+m?s\)$/, "", id)
  report(id, $2 == "PASS:" ? "passed" : "failed")
}`
  },
  {
    name: 'TAP',
    readers: ['node', 'tap', 'tape'],
    sign: /^ *(?:not )?ok \d+\b/gm,
    rules: String.raw`
/^TAP version/ { suite = "" }
/^ *# Subtest: / { next }
/^# / { suite = substr($0, 3); next }
/^ *(not )?ok [0-9]+/ {
  id = $0; sub(/^ *(not )?ok [0-9]+ *(- )?/, "", id)
  if (id ~ /# *([Ss][Kk][Ii][Pp]|[Tt][Oo][Dd][Oo])/) next
  sub(/ +# *time=.*/, "", id); sub(/ \{$/, "", id)
  if (suite != "" && suite !~ /^(tests|pass|fail) /) id = suite " > " id
  if (id != "") report(id, $1 == "not" ? "failed" : "passed")
}`
  },
  {
    name: 'check marks',
    readers: ['mocha', 'vitest', 'jest'],
    sign: /^\s*(?:✓|✔|√|✗|✖|×|✕) \S/gm,
    rules: String.raw`
# mocha lists its failures again below the sum.
/^ +[0-9]+ (passing|pending|failing)/ { over = 1 }
over { next }
{
  line = $0
  match(line, /^ */); depth = RLENGTH; text = substr(line, depth + 1)
  if (text == "") next
  mark = text; sub(/ .*/, "", mark)
  good = mark == "✓" || mark == "✔" || mark == "√"
  bad = mark == "✗" || mark == "✖" || mark == "×" || mark == "✕" || mark ~ /^[0-9]+\)$/
  for (level in suites) if (level + 0 >= depth) delete suites[level]
  if (!good && !bad) { if (depth <= 40) suites[depth] = text; next }
  name = substr(text, length(mark) + 2); sub(/ *[(\[]?[0-9.]+ ?m?s[)\]]?$/, "", name)
  id = ""
  for (level = 0; level < depth; level++) if (level in suites) id = id suites[level] " > "
  if (bad && mark ~ /\)$/ && name ~ /:$/) next
  report(id name, good ? "passed" : "failed")
}`
  },
  {
    name: 'words',
    readers: [],
    sign: /^(?:(?:PASS|PASSED|OK|ok|FAIL|FAILED)[: ]+\S.*|\S.*(?:\.\.\.|:) ?(?:ok|OK|PASS|PASSED|pass|passed|FAIL|FAILED|fail|failed))$/gm,
    rules: String.raw`
/^(PASS|PASSED|OK|ok|FAIL|FAILED)[: ]+[^ ]/ {
  word = $0; sub(/[: ].*/, "", word)
  id = $0; sub(/^[A-Za-z]+[: ]+/, "", id); sub(/ *[(\[]?[0-9.]+ ?m?s[)\]]?$/, "", id)
  report(id, word ~ /^(PASS|OK|ok)/ ? "passed" : "failed")
  next
}
/(\.\.\.|:) ?(ok|OK|PASS|PASSED|pass|passed|FAIL|FAILED|fail|failed)$/ {
  word = $NF; sub(/.*[.:]/, "", word)
  id = $0; sub(/ *(\.\.\.|:) ?[A-Za-z]+$/, "", id)
  report(id, word ~ /^([Oo][Kk]|[Pp][Aa][Ss][Ss])/ ? "passed" : "failed")
}`
  }
]

const parserSource = (format: Format): string => String.raw`#!/usr/bin/env bash
# Reads ${format.name} output: raw log on stdin, one JSON object on stdout. The worst of a test's results wins.
awk '
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
function report (id, word) {
  if (!(id in status)) order[++count] = id
  if (status[id] != "failed") status[id] = word
}
{ sub(/\r$/, ""); gsub(/\033\[[0-9;]*m/, "") }
${format.rules}
END {
  if (count == 0) {
    print "no test result in the log" > "/dev/stderr"
    exit 1
  }
  printf "{"
  for (at = 1; at <= count; at++) printf "%s\"%s\":\"%s\"", (at > 1 ? "," : ""), quoted(order[at]), status[order[at]]
  print "}"
}'
`

/** The runner of a `--test` command. `sampleLog` is what the command printed; throws ARENA_UNREADABLE_LOG when no format fits. */
export function customRunner (command: string, sampleLog: string, ecosystem: Ecosystem): Runner {
  // eslint-disable-next-line no-control-regex
  const log = sampleLog.replace(/\u001b\[[0-9;]*m/g, '').replaceAll('\r', '')
  const scored = formats.map(format => ({ format, hits: log.match(format.sign)?.length ?? 0, read: readBy(format, sampleLog) }))
  const readOf = ({ hits, read }: typeof scored[number]): number => hits > 0 ? read : -1
  // What a test prints may look like any format, so that signs alone would follow whoever prints most.
  const best = scored.reduce((one, other) => (readOf(other) - readOf(one) || other.hits - one.hits) > 0 ? other : one)
  if (best.hits === 0) {
    throw new SparError('ARENA_UNREADABLE_LOG', `Cannot read the results of --test "${command}": its output names no tests one by one. ` +
      `Give it an option that prints a result per test. Known formats: ${formats.map(({ name }) => name).join(', ')}`)
  }
  return {
    name: 'custom',
    ecosystem,
    script: files => scriptHead('the given command', files) + customCommand(command) + '\n',
    parser: { name: 'test_parser.sh', source: parserSource(best.format) }
  }
}

/** Tests that a reader of the format finds, where nothing speaks against its reading. */
function readBy ({ readers }: Format, log: string): number {
  const readings = readers.map(runner => readTestLog(Buffer.from(log), { runner, form: 'own' })).filter(reading => doubtful(reading).length === 0)
  return Math.max(0, ...readings.map(({ tests }) => tests.size))
}

/** The command with the files in the place of `{files}`. */
export function customCommand (command: string): string {
  // eslint-disable-next-line no-template-curly-in-string
  return command.replaceAll('{files}', '"${files[@]}"')
}
