// SWE-bench: one instance a bug. Two forms of the same: `instances.jsonl`, which loads anywhere, and a task repo
// (`sweb.yaml`, `tasks/<id>/`), from which its tools build the images: an instance names an image, and that image holds the
// buggy, weakened tree, which is no commit of the repository.
//
// The evaluation script prints its results as TAP, whatever runner ran: `parse_log_tap` is the one log parser of the
// harness that takes any test id. What the suite itself prints stands outside of the markers, each line behind a bar.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readTestFiles } from '../artifact/index.ts'
import type { Arena } from '../domain.ts'
import { shellQuote } from '../quote.ts'
import type { BugExport, ExportedBug } from './bugs.ts'
import { gradingFiles, gradingFunctions, lineId, suiteSecondsMax } from './grading.ts'
import { baseRepository, treeIn, writeContext, type BaseImage } from './image.ts'
import { exactText, jsonLine } from './lines.ts'
import { refuseTwins, repositoryName, swebenchId, swebenchImage } from './names.ts'
import { problemStatement } from './prompt.ts'
import type { LeftOut } from './types.ts'

/** Fields as the format has them; those below the line are ours. */
export interface SwebenchInstance {
  repo: string
  instance_id: string
  base_commit: string
  patch: string
  test_patch: string
  problem_statement: string
  hints_text: string
  created_at: string
  version: string
  /** JSON text of a list, as the format wants it. */
  FAIL_TO_PASS: string
  PASS_TO_PASS: string
  environment_setup_commit: string
  image: string
  log_parser: string
  eval_type: 'pass_and_fail' | 'fail_only'
  eval_script: string
  // ---
  /** Makes the tree of the instance from `base_commit`: the bug and the weakened tests. `patch` and `test_patch` are its way back. */
  setup_patch: string
  /** What runs the tests and reads their log, as the artifact has it; null where it is no UTF-8. */
  test_script: string | null
  test_parser: string | null
  test_parser_name: string
  /** One path a line. */
  test_files: string
  bug_id: string
  bug_order: number
  parent_bug_id: string | null
  strategy: string
}

/** Null where a patch is no UTF-8: as JSON text it would not be the same patch. */
export function swebenchInstance (exported: ExportedBug, arena: Arena): SwebenchInstance | null {
  const { bug, summary, strategy } = exported
  const repository = repositoryName(arena.name)
  const [patch, testPatch, setup] = [exported.gold, exported.oracle, exported.setup].map(exactText)
  if (patch == null || testPatch == null || setup == null) return null
  const id = swebenchId(repository, bug.id)
  return {
    repo: `${repository.owner}/${repository.name}`,
    instance_id: id,
    base_commit: arena.commit,
    patch,
    test_patch: testPatch,
    problem_statement: problemStatement(testPatch),
    hints_text: '',
    created_at: exported.createdAt,
    version: arena.commit.slice(0, 8),
    FAIL_TO_PASS: JSON.stringify(summary.f2p.map(lineId)),
    PASS_TO_PASS: JSON.stringify(summary.p2p.map(lineId)),
    environment_setup_commit: arena.commit,
    image: swebenchImage(id),
    log_parser: 'parse_log_tap',
    eval_type: 'pass_and_fail',
    eval_script: evalScript(exported, arena),
    setup_patch: setup,
    test_script: exactText(bug.files.testScript),
    test_parser: exactText(bug.files.testParser),
    test_parser_name: bug.files.parserName,
    test_files: readTestFiles(bug.files.testFiles).map(path => `${path}\n`).join(''),
    bug_id: bug.id,
    bug_order: bug.order,
    parent_bug_id: bug.parent,
    strategy
  }
}

const grading = '/tmp/spar-grading'

/** Files go in as base64: they may hold any bytes, and the harness rewrites lines of this script that look like its own. */
function evalScript (exported: ExportedBug, arena: Arena): string {
  const files = gradingFiles(exported).map(({ name, bytes }) =>
    `base64 -d > ${shellQuote(`${grading}/${name}`)} <<'EOF_SPAR'\n${(Buffer.from(bytes).toString('base64').match(/.{1,76}/g) ?? []).map(line => `${line}\n`).join('')}EOF_SPAR\n`).join('')
  return `#!/bin/bash
set -uxo pipefail
set +x
rm -rf ${grading}; mkdir -p ${grading}
${files}chmod 755 ${grading}/*
${gradingFunctions(exported, treeIn(arena), grading)}
changed () { ( cd "$tree" && export GIT_DIR=${baseRepository} GIT_WORK_TREE="$tree" GIT_INDEX_FILE=${grading}/index && git read-tree HEAD && git add -A && git diff --cached --no-renames --name-only -z HEAD ); }
changed | grader paths; allowed=$?
rm -f ${grading}/results.json
if [ "$allowed" = 0 ] && restore_tests; then
  ( cd "$tree" && timeout --kill-after=5 ${suiteSecondsMax} bash ${grading}/test_script.sh < /dev/null ) > ${grading}/log 2>&1
  tail -c 200000 ${grading}/log | sed 's/^/| /'
  parse_log < ${grading}/log > ${grading}/results.json
fi
echo '>>>>> Start Test Output'
if [ "$allowed" = 0 ]; then grader tap ${grading}/results.json; else grader fail; fi
echo '>>>>> End Test Output'
`
}

export async function writeSwebench (folder: string, { arena, bugs }: BugExport, base: BaseImage, run: string): Promise<{ instances: number; leftOut: LeftOut[] }> {
  const leftOut: LeftOut[] = []
  const dataset = `spar/${run}`
  let lines = ''
  refuseTwins(bugs.map(({ bug }) => swebenchId(repositoryName(arena.name), bug.id)))
  await mkdir(join(folder, 'tasks'), { recursive: true })
  for (const exported of bugs) {
    const instance = swebenchInstance(exported, arena)
    if (instance === null) {
      leftOut.push({ bug: exported.bug.id, reason: 'its patches are not UTF-8, and this format is text' })
      continue
    }
    lines += jsonLine(instance)
    await writeTask(join(folder, 'tasks', instance.instance_id), instance, dataset)
    await writeContext(join(folder, 'tasks', instance.instance_id), arena, base, exported.setup)
  }
  await writeFile(join(folder, 'instances.jsonl'), lines)
  // JSON is YAML too.
  await writeFile(join(folder, 'sweb.yaml'), JSON.stringify({ datasets: [dataset], splits: ['test'] }, null, 2) + '\n')
  return { instances: bugs.length - leftOut.length, leftOut }
}

async function writeTask (folder: string, instance: SwebenchInstance, dataset: string): Promise<void> {
  const { patch, test_patch: testPatch, problem_statement: statement, eval_script: script, hints_text: _hints, FAIL_TO_PASS: f2p, PASS_TO_PASS: p2p, ...meta } = instance
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'task.yaml'), JSON.stringify({ ...meta, split: 'test', datasets: [dataset] }, null, 2) + '\n')
  await writeFile(join(folder, 'tests.json'), JSON.stringify({ FAIL_TO_PASS: JSON.parse(f2p), PASS_TO_PASS: JSON.parse(p2p) }, null, 2) + '\n')
  await writeFile(join(folder, 'problem_statement.md'), statement)
  await writeFile(join(folder, 'gold.patch'), patch)
  await writeFile(join(folder, 'test.patch'), testPatch)
  await writeFile(join(folder, 'eval.sh'), script, { mode: 0o755 })
}
