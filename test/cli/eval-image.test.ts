// Goal: an instance is played and graded in the image that it names, by its own script, as SWE-bench does it; the solver sees neither
// its tests nor the history that leads to the repair. Method: a real engine, an image made from that of deploy/test-image.sh with a
// repository at /testbed whose HEAD is a commit on top of the base, and a script of SWE-bench's form.

import Docker from 'dockerode'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { EvalSummary } from '../../src/eval/results.ts'
import { startFakeServer } from '../helpers/fake-server.ts'
import { findTestEngine, testImage } from '../helpers/sandbox-fixture.ts'
import { spar, type Ran } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

const buggy = 'def clamp(a, b):\n    return a\n\n\ndef add(a, b):\n    return a + b\n'
const repaired = buggy.replace('return a\n', 'return min(max(a, 0), b)\n')
const before = 'import pytest\nimport numbers_\n\n\n@pytest.mark.parametrize("a", range(12))\ndef test_add(a):\n    assert numbers_.add(a, 1) == a + 1\n'
const after = `${before}\n\ndef test_clamp():\n    assert numbers_.clamp(5, 3) == 3\n\n\ndef test_fast():\n    if getattr(numbers_, "slow", False):\n        pytest.skip("slow here")\n`

const git = (cwd: string, ...args: string[]): string => execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], { cwd, encoding: 'utf8' })

/** The repository with its bug, as SWE-bench's images have it, and the diffs that lead on from there. */
function makeRepository (folder: string): { base: string; diffTo: (files: Record<string, string>) => string } {
  mkdirSync(join(folder, 'tests'), { recursive: true })
  writeFileSync(join(folder, 'numbers_.py'), buggy)
  writeFileSync(join(folder, 'tests/test_numbers.py'), before)
  writeFileSync(join(folder, 'pytest.ini'), '[pytest]\npythonpath = .\n')
  git(folder, 'init', '-q', '-b', 'main')
  git(folder, 'add', '-A')
  git(folder, 'commit', '-qm', 'before')
  const base = git(folder, 'rev-parse', 'HEAD').trim()
  git(folder, 'commit', '-q', '--allow-empty', '-m', 'SWE-bench')
  const diffTo = (files: Record<string, string>): string => {
    for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, path), text)
    git(folder, 'add', '-A')
    const diff = git(folder, 'diff', '--cached')
    git(folder, 'reset', '-q', '--hard')
    return diff
  }
  return { base, diffTo }
}

const scriptOf = (base: string, testPatch: string): string => `#!/bin/bash
set -uxo pipefail
cd /testbed
git config --global --add safe.directory /testbed
git status
git checkout ${base} tests/test_numbers.py
git apply -v - <<'EOF_114329324912'
${testPatch}
EOF_114329324912
: '>>>>> Start Test Output'
python3 -m pytest -rA -v tests/test_numbers.py
code=$?
: '>>>>> End Test Output'
echo ">>>>> Test Exit Code: $code"
git checkout ${base} tests/test_numbers.py
`

t.test('instances in their images', { timeout: 600_000 }, async t => {
  const engine = await findTestEngine()
  if ('reason' in engine) return void (process.env['CI'] !== undefined ? t.fail(engine.reason) : t.pass('not here', { skip: engine.reason }))
  const cwd = testFolder(t)
  const repository = join(cwd, 'repository')
  const { base, diffTo } = makeRepository(repository)
  const image = await makeImage(engine.docker, repository)
  t.teardown(image.remove)
  const gold = diffTo({ 'numbers_.py': repaired })
  const testPatch = diffTo({ 'tests/test_numbers.py': after })
  const id = (name: string): string => `tests/test_numbers.py::${name}`
  const instance = {
    repo: 'some/where', base_commit: base, patch: gold, test_patch: testPatch, problem_statement: 'clamp ignores its upper bound.', image: image.name, eval_script: scriptOf(base, testPatch), log_parser: 'parse_log_pytest',
    FAIL_TO_PASS: JSON.stringify([id('test_clamp')]), PASS_TO_PASS: JSON.stringify([id('test_add[0]'), id('test_fast')])
  }
  const write = (name: string, values: readonly object[]): string => {
    writeFileSync(join(cwd, name), values.map(value => JSON.stringify(value) + '\n').join(''))
    return join(cwd, name)
  }
  const evaluate = (tasks: string, out: string, ...more: string[]): Promise<Ran> => spar(['eval', tasks, '--out', join(cwd, out), '--json', ...more], { home: join(cwd, 'home'), cwd })
  const outcomes = ({ json }: Ran): object => Object.fromEntries((json as EvalSummary).instances.map(({ instance_id: name, attempts }) => [name, attempts[0]!.outcome]))

  t.test('patches are graded by the script of the instance', async t => {
    const patches: Record<string, [patch: string, outcome: string, change?: object]> = {
      gold: [gold, 'resolved'],
      wrong: [diffTo({ 'numbers_.py': buggy.replace('return a\n', 'return b + 1\n') }), 'unresolved'],
      skips_p2p: [diffTo({ 'numbers_.py': `${repaired}slow = True\n` }), 'resolved'],
      skips_f2p: [diffTo({ 'conftest.py': 'import pytest\ndef pytest_runtest_setup(item):\n    if item.name == "test_clamp":\n        pytest.skip("no")\n' }), 'unresolved'],
      breaks_all: [diffTo({ 'numbers_.py': 'def (\n' }), 'invalid'],
      leaves: [gold + diffTo({ 'conftest.py': 'def pytest_sessionfinish(session):\n    session.exitstatus = 7\n' }), 'invalid'],
      tests_only: [testPatch, 'unresolved'],
      unknown: [gold, 'error', { log_parser: 'parse_log_maven' }],
      no_image: [gold, 'error', { image: 'spar-test-nowhere:latest' }]
    }
    const tasks = write('tasks.jsonl', Object.entries(patches).map(([name, [, , change]]) => ({ ...instance, ...change, instance_id: name })))
    const predictions = write('predictions.jsonl', Object.entries(patches).map(([name, [patch]]) => ({ instance_id: name, model_name_or_path: 'x', model_patch: patch })))
    const ran = await evaluate(tasks, 'graded', '--predictions', predictions)
    t.same(outcomes(ran), Object.fromEntries(Object.entries(patches).map(([name, [, outcome]]) => [name, outcome])), ran.err)
    t.match(ran.json, { resolved: 2, unresolved: 3, invalid: 2, error: 2, resolvedShare: 2 / 7, invalid_ids: ['breaks_all', 'leaves'] })
    t.equal(ran.code, 2)
    t.match(ran.err, /parse_log_maven/)
    t.match(ran.err, /docker pull spar-test-nowhere:latest/)
  })

  t.test('without a script its tests run as Spar finds, and fail_only counts failures alone', async t => {
    const tasks = write('bare.jsonl', [
      { ...instance, instance_id: 'found', eval_script: undefined },
      { ...instance, instance_id: 'unnamed', eval_script: undefined, eval_type: 'fail_only', FAIL_TO_PASS: JSON.stringify([id('test_clamp'), id('not_there')]) }
    ])
    const ran = await evaluate(tasks, 'bare', '--predictions', 'gold')
    t.same(outcomes(ran), { found: 'resolved', unnamed: 'resolved' }, ran.err)
  })

  t.test('a model plays in the image, and sees one commit', async t => {
    const call = (tool: string, body: string): string => `I go on.\n<tool: ${tool}>\n${body}\n</tool>`
    const repair = 'numbers_.py\n<<<<<<< SEARCH\n    return a\n=======\n    return min(max(a, 0), b)\n>>>>>>> REPLACE'
    const turns = [call('bash', 'git log --all --oneline | wc -l; pwd; python3 -m pytest -q tests 2>&1 | tail -n 1; grep -c clamp tests/*.py'), call('edit', repair), call('submit', '')]
    const server = await startFakeServer({ kind: 'vllm', contextTokensMax: 200_000, reply: conversation => ({ content: turns[conversation.filter(({ role }) => role === 'assistant').length] ?? '' }) })
    t.teardown(() => server.close())
    const ran = await evaluate(write('one.jsonl', [{ ...instance, instance_id: 'some__where-1' }]), 'played', '--solver', `openai=${server.url}`, '--model', 'fake', '--tools', 'text')
    t.equal(ran.code, 0, ran.err)
    t.match(ran.json, { resolved: 1, resolved_ids: ['some__where-1'] })
    t.match(readFileSync(join(cwd, 'played/transcripts/some__where-1.1.md'), 'utf8'), /\n1\n\/testbed\n12 passed.*\n0\n/)
    t.match(readFileSync(join(cwd, 'played/predictions.jsonl'), 'utf8'), /min\(max/)
  })

  t.test('a path without a repository is told, and so is an option that makes no sense', async t => {
    const tasks = write('path.jsonl', [{ ...instance, instance_id: 'path' }])
    t.match(await evaluate(tasks, 'path', '--predictions', 'gold', '--image-path', '/usr'), { code: 2, json: { instances: [{ attempts: [{ outcome: 'error', reason: /no git repository.*--image-path/ }] }] } })
    t.match(await evaluate(tasks, 'path2', '--predictions', 'gold', '--image-path', 'usr'), { code: 64, err: /--image-path/ })
    t.match(await evaluate(tasks, 'path3', '--predictions', 'gold', '--images', 'no'), { json: { instances: [{ attempts: [{ reason: /EVAL_NO_REPOSITORY/ }] }] } })
  })
})

async function makeImage (docker: Docker, repository: string): Promise<{ name: string; remove: () => Promise<void> }> {
  const container = await docker.createContainer({ Image: testImage, Cmd: ['true'], NetworkDisabled: true })
  try {
    await container.putArchive(execFileSync('tar', ['-c', '--owner=0', '--group=0', '-C', repository, '.'], { maxBuffer: 2 ** 28 }), { path: '/testbed' })
    const [repo, tag] = ['spar-test-instance', String(process.pid)]
    await container.commit({ repo, tag })
    return { name: `${repo}:${tag}`, remove: async () => { await docker.getImage(`${repo}:${tag}`).remove({ force: true }) } }
  } finally {
    await container.remove({ force: true })
  }
}
