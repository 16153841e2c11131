// Harbor: one task folder a bug. The verifier runs in a container of its own, made from the same image, and only the diff
// of the attempt crosses: the agent's container is thrown away. The suite runs as the user without rights, the parser as
// another one, and the reward is written by root once both have ended.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Arena } from '../domain.ts'
import { shellQuote } from '../quote.ts'
import { bareGit } from '../verify/tree.ts'
import type { BugExport, ExportedBug } from './bugs.ts'
import { gradingFiles, gradingFunctions, suiteSecondsMax } from './grading.ts'
import { attemptPath, baseRepository, collectScript, treeIn, user, writeContext, type BaseImage } from './image.ts'
import { repositoryName, swebenchId } from './names.ts'
import { problemStatement } from './prompt.ts'
import type { LeftOut } from './types.ts'

/** Seconds and megabytes that a task allows. */
export const harborLimits = { agentSeconds: 3600, verifierSeconds: 4 * suiteSecondsMax, buildSeconds: 1800, cpus: 2, memoryMb: 4096, storageMb: 10_240 }

export async function writeHarbor (folder: string, { arena, bugs }: BugExport, base: BaseImage): Promise<{ instances: number; leftOut: LeftOut[] }> {
  for (const exported of bugs) await writeTask(join(folder, swebenchId(repositoryName(arena.name), exported.bug.id).toLowerCase()), exported, arena, base)
  return { instances: bugs.length, leftOut: [] }
}

async function writeTask (folder: string, exported: ExportedBug, arena: Arena, base: BaseImage): Promise<void> {
  for (const part of ['environment', 'solution', 'tests']) await mkdir(join(folder, part), { recursive: true })
  const oracle = Buffer.from(exported.oracle).toString('utf8')
  await writeFile(join(folder, 'instruction.md'), `The repository is in \`${treeIn(arena)}\`.\n\n${problemStatement(oracle)}`)
  await writeFile(join(folder, 'task.toml'), taskToml(exported, arena))
  await writeContext(join(folder, 'environment'), arena, base, exported.setup)
  await writeFile(join(folder, 'solution', 'gold.diff'), exported.gold)
  await writeFile(join(folder, 'solution', 'solve.sh'), solveScript(arena), { mode: 0o755 })
  await writeFile(join(folder, 'tests', 'test.sh'), testScript(exported, arena), { mode: 0o755 })
  await writeFile(join(folder, 'tests', 'gold.diff'), exported.gold)
  for (const { name, bytes, executable } of gradingFiles(exported)) await writeFile(join(folder, 'tests', name), bytes, { mode: executable ? 0o755 : 0o644 })
}

/** JSON strings are TOML strings, but for DEL. */
const toml = (value: unknown): string => JSON.stringify(value).replaceAll('\x7f', '\\u007f')

const table = (name: string, values: Record<string, unknown>): string =>
  `\n${name}\n${Object.entries(values).filter(([, value]) => value !== null).map(([key, value]) => `${key} = ${toml(value)}\n`).join('')}`

function taskToml ({ bug, summary, strategy, createdAt }: ExportedBug, arena: Arena): string {
  const { owner, name } = repositoryName(arena.name)
  return 'schema_version = "1.4"\n' +
    table('[task]', { name: `spar/${swebenchId({ owner, name }, bug.id).toLowerCase()}`, description: `A bug in ${owner}/${name} that an improved test suite shows`, keywords: ['software-engineering', 'self-play', arena.ecosystem] }) +
    table('[metadata]', {
      repository: `${owner}/${name}`, base_commit: arena.commit, bug_id: bug.id, bug_order: bug.order, parent_bug_id: bug.parent, strategy, created_at: createdAt,
      fail_to_pass: summary.f2p.length, pass_to_pass: summary.p2p.length
    }) +
    table('[agent]', { timeout_sec: harborLimits.agentSeconds, user }) +
    table('[verifier]', { timeout_sec: harborLimits.verifierSeconds, environment_mode: 'separate', user: 'root' }) +
    table('[[verifier.collect]]', { command: `bash ${collectScript}`, user: 'root' }) +
    table('[environment]', { build_timeout_sec: harborLimits.buildSeconds, cpus: harborLimits.cpus, memory_mb: harborLimits.memoryMb, storage_mb: harborLimits.storageMb, network_mode: 'no-network' })
}

const solveScript = (arena: Arena): string => `#!/usr/bin/env bash
# The way back: restores the original sources.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd ${shellQuote(treeIn(arena))}
GIT_DIR=/dev/null ${bareGit} apply --whitespace=nowarn "$here/gold.diff"
`

function testScript (exported: ExportedBug, arena: Arena): string {
  return `#!/usr/bin/env bash
# Grades an attempt: 1 where every expected test is there and passed, else 0, in reward.txt. No exit code of the suite
# counts. Where nothing can be said about the attempt there is no reward at all, and this script fails.
set -uo pipefail
${gradingFunctions(exported, treeIn(arena), '/tests')}
attempt=${attemptPath}
work=$(mktemp -d) && chmod 755 "$work" || exit 70
reward () { mkdir -p /logs/verifier && echo "$1" > /logs/verifier/reward.txt && exit 0; }
broken () { echo "cannot grade: $1" >&2; exit 70; }
as () { local who=$1; shift; if [ "$(id -u)" = 0 ]; then su -s /bin/bash "$who" -c "export PATH='$PATH'; $*"; else bash -c "$*"; fi; }
reset () { git --git-dir=${baseRepository} --work-tree="$tree" reset -q --hard HEAD && ( cd "$tree" && git --git-dir=${baseRepository} --work-tree=. clean -q -f -d ); }
put () { ( cd "$tree" && GIT_DIR=/dev/null ${bareGit} apply --whitespace=nowarn "$1" ); }

# Runs the suite on the tree as it is, its log in $work/log. 124 and 137: it did not end in time.
run_suite () {
  restore_tests || broken 'the oracle does not apply'
  chown -R ${user} "$tree" 2> /dev/null
  as ${user} 'cd ${shellQuote(treeIn(arena)).replaceAll("'", "'\\''")} && exec timeout --kill-after=5 ${suiteSecondsMax} bash /tests/test_script.sh < /dev/null' > "$work/log" 2>&1
  local code=$?
  if [ "$(id -u)" = 0 ]; then
    # Nothing of the suite outlives it.
    for process in /proc/[0-9]*; do [ "$(stat -c %U "$process" 2> /dev/null)" = ${user} ] && kill -9 "\${process#/proc/}" 2> /dev/null; done
  fi
  return $code
}
late () { [ "$1" = 124 ] || [ "$1" = 137 ]; }

[ -f "$attempt" ] || broken 'no attempt was collected'
[ -s "$attempt" ] || reward 0
reset || broken 'the tree cannot be reset'
grep -aqE '^(new file|new|deleted file) mode 1[26]0000' "$attempt" && reward 0
( cd "$tree" && GIT_DIR=/dev/null ${bareGit} apply --numstat -z "$attempt" ) > "$work/paths" || reward 0
tr '\\0' '\\n' < "$work/paths" | cut -f 3- | tr '\\n' '\\0' | grader paths
case $? in 0) ;; 3) reward 0 ;; *) broken 'there is no grader' ;; esac
put "$attempt" || reward 0

run_suite; code=$?
tail -c 200000 "$work/log"
if late $code; then
  # The attempt's fault only if the original does better here.
  reset && put /tests/gold.diff || broken 'the gold patch does not apply'
  run_suite; late $? && broken 'the suite of the original does not end in time either'
  reward 0
fi
chmod 644 "$work/log"
as nobody "$(declare -f parse_log); parse_log" < "$work/log" > "$work/results.json"
verdict=$(grader reward "$work/results.json") || broken 'the grader failed'
reward "$verdict"
`
}
