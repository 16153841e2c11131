// Goal: the formats' own tools take what is exported. Method: their loaders and validators, as released, over a small run;
// and, where an engine answers, the containers built and graded as the formats' runners do it.

import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { exportRun, type Format } from '../../src/export/index.ts'
import { createSandboxes } from '../../src/sandbox/index.ts'
import { f2p, makeRun, p2p } from '../helpers/run-fixture.ts'
import { pythonTool, type PythonTool } from '../helpers/python-tools.ts'
import { findTestEngine, testImage } from '../helpers/sandbox-fixture.ts'
import { testFolder } from '../helpers/test-folder.ts'

const inCi = Boolean(process.env['CI'])
const base = testFolder(t)
const fixture = await makeRun(base)
const sandboxes = await createSandboxes({ kind: 'process', home: join(base, 'home') })
t.teardown(() => sandboxes.close())

const openTree = () => sandboxes.open({ arena: fixture.arena, view: 'tree', network: 'none', label: { run: 'run', purpose: 'export' } })
const written = async (format: Format): Promise<string> => (await exportRun(fixture.store, { format, out: join(base, format), orderMax: 2, image: testImage }, openTree)).out

/** Skips a test for this reason, but for CI, where it fails. */
const unless = (reason: string | null): { skip: string | false } => ({ skip: reason !== null && !inCi ? reason : false })

function withTool (tool: PythonTool, name: string, check: (t: Test, run: NonNullable<ReturnType<typeof pythonTool>>) => Promise<void>): void {
  const run = pythonTool(tool)
  const reason = run === null ? `SPAR_TEST_PYTHON_TOOLS names no folder with ${tool}` : null
  t.test(name, unless(reason), async t => {
    if (run === null) t.fail(reason!)
    else await check(t, run)
  })
}

withTool('swebench', 'SWE-bench loads the instances, finds its task repo well formed, and grades a log of the evaluation script', async (t, run) => {
  const report = JSON.parse(run(`
import json, sys
from pathlib import Path
from swebench.harness.utils import load_swebench_dataset, make_test_spec
from swebench.harness.grading import get_eval_report
from swebench.task.checks import check_task_repo
from swebench.task.publish import compile_datasets
from swebench.types import SWEbenchInstance
folder = Path(sys.argv[1])
instances = load_swebench_dataset(str(folder / 'instances.jsonl'))
missing = [sorted(set(SWEbenchInstance.__annotations__) - set(instance)) for instance in instances]
spec = make_test_spec(instances[0])
def grade(statuses):
    log = folder.parent / 'log.txt'
    results = [f'{"ok" if status else "not ok"} {number} {name}' for number, (name, status) in enumerate(statuses.items(), 1)]
    log.write_text('\\n'.join(['>>>>> Start Test Output', *results, '>>>>> End Test Output']) + '\\n')
    prediction = {'instance_id': spec.instance_id, 'model_patch': 'x', 'model_name_or_path': 'x'}
    return get_eval_report(spec, prediction, str(log), True)[spec.instance_id]['resolved']
every = {name: True for name in spec.FAIL_TO_PASS + spec.PASS_TO_PASS}
print(json.dumps({
    'missing': missing, 'problems': [str(problem) for problem in check_task_repo(folder)], 'f2p': spec.FAIL_TO_PASS,
    'rows': [len(rows) for splits in compile_datasets(folder).values() for rows in splits.values()],
    'solved': grade(every), 'failing': grade({**every, spec.FAIL_TO_PASS[0]: False}),
}))`, await written('swebench'))) as object
  t.strictSame(report, { missing: [[], []], problems: [], f2p, rows: [2], solved: true, failing: false })
})

withTool('swesmith', 'SWE-smith finds the repository of each instance, reads its patch, and grades by its lists', async (t, run) => {
  const report = JSON.parse(run(`
import json, sys
from dataclasses import dataclass
from swesmith.constants import KEY_IMAGE_NAME, KEY_PATCH
from swesmith.harness.grading import get_eval_tests_report
from swesmith.profiles.base import RepoProfile, registry
from swebench.harness.grading import get_resolution_status
from unidiff import PatchSet
@dataclass
class Tiny(RepoProfile):
    owner: str = 'Some-One'
    repo: str = 'tiny'
    commit: str = 'c0ffee00' * 5
    def log_parser(self, log):
        return {}
registry.register_profile(Tiny)
rows = [json.loads(line) for line in open(sys.argv[1] + '/instances.jsonl', encoding='utf-8')]
def status(row, passed):
    return get_resolution_status(get_eval_tests_report({name: passed for name in row['FAIL_TO_PASS'] + row['PASS_TO_PASS']}, row))
print(json.dumps([{
    'repository': registry.get_from_inst(row).repo_name == row['instance_id'].rsplit('.', 1)[0], 'image': registry.get_from_inst(row).image_name == row[KEY_IMAGE_NAME],
    'files': len(PatchSet(row[KEY_PATCH])), 'solved': status(row, 'PASSED'), 'failing': status(row, 'FAILED'),
} for row in rows]))`, await written('swesmith'))) as object
  const both = { repository: true, image: true, solved: 'RESOLVED_FULL', failing: 'RESOLVED_NO' }
  t.strictSame(report, [{ ...both, files: 3 }, { ...both, files: 2 }])
})

withTool('harbor', 'Harbor loads every task, with a verifier of its own and no network', async (t, run) => {
  const out = await written('harbor')
  const folders = readdirSync(out, { withFileTypes: true }).filter(entry => entry.isDirectory()).map(entry => join(out, entry.name))
  const report = JSON.parse(run(`
import json, sys
from harbor.models.task.task import Task
tasks = [Task(folder) for folder in sys.argv[1:]]
print(json.dumps([[Task.is_valid_dir(task.task_dir), task.config.verifier.environment_mode.value, task.config.environment.network_mode.value, task.config.agent.user, len(task.config.verifier.collect)] for task in tasks]))
`, ...folders)) as object
  t.strictSame(report, [[true, 'separate', 'no-network', 'spar', 1], [true, 'separate', 'no-network', 'spar', 1]])
})

const engine = await findTestEngine()
const noEngine = 'reason' in engine ? engine.reason : null

const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 26 })

t.test('a Harbor task in containers: what repairs it earns 1, what cheats or does nothing 0, and only a diff crosses', { timeout: 240_000, ...unless(noEngine) }, async t => {
  if (noEngine !== null) return t.fail(noEngine)
  const task = join(await written('harbor'), `some-one__tiny-${fixture.second.id.slice(4)}`)
  const image = `spar-test-task:${process.pid}`
  docker('build', '-q', '-t', image, join(task, 'environment'))
  t.teardown(() => { docker('rmi', '-f', image) })
  const attempts = {
    gold: ['bash /solution/solve.sh', '1'],
    'gold, .git removed': ['bash /solution/solve.sh && cd /testbed && rm -rf .git', '1'],
    nothing: ['true', '0'],
    'a test file touched': ['bash /solution/solve.sh && echo // >> /testbed/test/add.test.js', '0'],
    'what decides how tests run touched': ['bash /solution/solve.sh && echo {} > /testbed/package.json', '0'],
    'a suite that prints what it likes': ["echo 'console.log(\"PASSED test/add.test.js::adds\")' > /testbed/lib/add.js", '0']
  }
  for (const [name, [command, reward]] of Object.entries(attempts)) t.equal(trial(image, task, command!), reward, name)
  const seen = docker('run', '--rm', '--network', 'none', '-u', 'spar', image, 'bash', '-c', 'cd /testbed && git log --oneline | wc -l && find . -newermt 2000-01-02 -not -path "./.git*" -type f | wc -l && ls /spar-setup 2>&1 | wc -l && cat lib/add.js')
  t.match(seen, /^1\n0\n1\n/, 'one commit, no file newer than the others, nothing of the setup')
  t.notMatch(seen, /undefined/)
})

/** As Harbor does it: the agent's container, the collect hook, and a fresh container that gets the diff and the tests. */
function trial (image: string, task: string, command: string): string {
  const start = (...volumes: string[]): string => docker('run', '-d', '--network', 'none', ...volumes, image, 'sleep', '300').trim()
  const agent = start('-v', `${join(task, 'solution')}:/solution:ro`)
  const verifier = start()
  const attempt = join(base, 'attempt.diff')
  try {
    docker('exec', '-u', 'spar', agent, 'bash', '-c', command)
    docker('exec', '-u', 'root', agent, 'bash', '/spar/collect.sh')
    docker('cp', `${agent}:/logs/artifacts/attempt.diff`, attempt)
    docker('cp', attempt, `${verifier}:/logs/artifacts/attempt.diff`)
    docker('cp', `${join(task, 'tests')}/.`, `${verifier}:/tests`)
    docker('exec', '-u', 'root', verifier, '/tests/test.sh')
    return docker('exec', verifier, 'cat', '/logs/verifier/reward.txt').trim()
  } finally {
    docker('rm', '-f', agent, verifier)
  }
}

t.test('the evaluation script of SWE-bench in its container prints every result of the tree it finds', { timeout: 120_000, ...unless(noEngine) }, async t => {
  if (noEngine !== null) return t.fail(noEngine)
  const folder = join(await written('swebench'), 'tasks', `Some-One__tiny-${fixture.bug.id.slice(4)}`)
  const image = `spar-test-eval:${process.pid}`
  docker('build', '-q', '-t', image, folder)
  t.teardown(() => { docker('rmi', '-f', image) })
  const evaluate = (before: string): string => docker('run', '--rm', '--network', 'none', '-v', `${folder}:/task:ro`, image, 'bash', '-c', `cd /testbed && ${before} && bash /task/eval.sh 2> /dev/null`).split('>>>>>')[1]!
  const results = (output: string, kind: RegExp): number => output.split('\n').filter(line => kind.test(line)).length
  const gold = evaluate('git apply /task/gold.patch')
  t.strictSame([results(gold, /^ok /), results(gold, /^not ok /)], [f2p.length + p2p.length, 0])
  const buggy = evaluate('true')
  t.strictSame([results(buggy, /^ok /), results(buggy, /^not ok /)], [p2p.length, f2p.length])
  t.equal(results(evaluate('git apply /task/gold.patch && echo {} > package.json'), /^ok /), 0, 'what decides how tests run was touched')
  t.match(readFileSync(join(folder, 'Dockerfile'), 'utf8'), `FROM ${testImage}`)
})
