import t from 'tap'
import { systemClock } from '../../src/clock.ts'
import type { Arena } from '../../src/domain.ts'
import { createRolloutSession } from '../../src/rollout/session.ts'
import { executeTool, toolLimits, wholeLineMatches } from '../../src/rollout/tools.ts'
import { collectArtifact, collectPatch } from '../../src/rollout/collect.ts'
import type { Sandbox } from '../../src/ports.ts'
import { createSandboxes } from '../../src/sandbox/index.ts'
import { testFolder } from '../helpers/test-folder.ts'

const limits = { ...toolLimits, commandMsMax: 1500, outputBytesMax: 2000 }

t.test('tools', async t => {
  const home = testFolder(t, { arena: { tree: { 'a.txt': 'one\ntwo\ntwo\nthree', 'crlf.txt': 'one\r\ntwo\r\n', 'latin.txt': Buffer.from([0xe9, 10, 0x62, 10]), 'run.sh': '#!/bin/sh\nexit 0\n' }, git: {}, env: {} } })
  const arena = { id: 'x', dir: `${home}/arena`, image: null, imagePath: null, mounts: [], path: [], env: {} } as unknown as Arena
  const sandboxes = await createSandboxes({ kind: 'process', home })
  t.teardown(() => sandboxes.close())
  const open = (): Promise<Sandbox> => sandboxes.open({ arena, view: 'tree', network: 'none', label: { run: 'test', purpose: 'tools' } })
  const sandbox = await open()
  const edit = (path: string, search: string, replace: string) => executeTool(sandbox, { tool: 'edit', path, search, replace }, limits)
  const text = async (path: string): Promise<string> => Buffer.from(await sandbox.readFile(path, 1e6)).toString('latin1')

  t.test('edit replaces whole lines that match exactly once, and says why it did not', async t => {
    t.match(await edit('a.txt', 'two', 'x'), { exitCode: 1, text: /matches 2 places/ })
    t.match(await edit('a.txt', 'hree', 'x'), { exitCode: 1, text: /does not match whole lines/ })
    t.match(await edit('a.txt', 'one\ntw', 'x'), { exitCode: 1, text: /does not match whole lines/ })
    t.match(await edit('missing.txt', 'one', 'x'), { exitCode: 1, text: /missing\.txt/ })
    t.match(await edit('a.txt', 'two\nthree', 'drei'), { exitCode: 0 })
    t.equal(await text('a.txt'), 'one\ntwo\ndrei')
  })

  t.test('a full disk is nobody\'s fault, and a program that only speaks of one is believed by nobody', async t => {
    const speak = { tool: 'bash', command: 'echo "cp: No space left on device"; exit 1' } as const
    t.match(await executeTool(sandbox, speak, limits), { exitCode: 1, text: /No space/ })
    const full = { ...sandbox, id: 'full', tree: sandbox.tree, exec: async (command: string, options: Parameters<Sandbox['exec']>[1]) => await sandbox.exec(command.startsWith('df ') ? 'echo "overlay 100 100 12 100% /"' : command, options) } as Sandbox
    await t.rejects(executeTool(full, speak, limits), { code: 'SANDBOX_DISK_FULL', retryable: true })
  })

  t.test('a sandbox that outgrew its disk is the policy\'s own doing: it is told, and nothing can be submitted', async t => {
    const small = await sandboxes.open({ arena, view: 'tree', network: 'none', label: { run: 'test', purpose: 'tools' }, limits: { diskBytes: 2 ** 20 } })
    t.teardown(() => small.destroy())
    t.match(await executeTool(small, { tool: 'bash', command: 'head -c 50000000 /dev/zero >big; sleep 60' }, { ...limits, commandMsMax: 60_000 }), { exitCode: null, timedOut: false, text: /its files are gone/ })
    t.match(await executeTool(small, { tool: 'bash', command: 'ls' }, limits), { exitCode: 1, text: /diskBytes/ })
    t.match(await executeTool(small, { tool: 'create', path: 'x', content: 'x' }, limits), { exitCode: 1, text: /diskBytes/ })
    t.match(await collectPatch(small, 'HEAD'), { refused: /diskBytes/ })
  })

  t.test('edit keeps every byte that it does not replace: carriage returns, other encodings, the executable bit', async t => {
    await edit('crlf.txt', 'two', 'zwei')
    t.equal(await text('crlf.txt'), 'one\r\nzwei\r\n')
    await edit('latin.txt', 'b', 'ß')
    t.equal(await text('latin.txt'), 'é\n\u00c3\u009f\n')
    await executeTool(sandbox, { tool: 'bash', command: 'chmod +x run.sh' }, limits)
    await edit('run.sh', 'exit 0', 'exit 3')
    t.match(await executeTool(sandbox, { tool: 'bash', command: './run.sh' }, limits), { exitCode: 3 })
  })

  t.test('create makes parent folders and refuses what is too large', async t => {
    t.match(await executeTool(sandbox, { tool: 'create', path: 'new dir/ünï "x".txt', content: 'hi' }, limits), { exitCode: 0 })
    t.equal(await text('new dir/ünï "x".txt'), 'hi')
    t.match(await executeTool(sandbox, { tool: 'create', path: 'big', content: 'x'.repeat(50) }, { ...limits, fileBytesMax: 10 }), { exitCode: 1, text: /the limit is 10/ })
  })

  t.test('bash is one session; its output is cut with the count, its time is bounded', async t => {
    const bash = (command: string) => executeTool(sandbox, { tool: 'bash', command }, limits)
    await bash('mkdir -p sub; cd sub; word=kept')
    t.match(await bash('pwd; echo $word'), { exitCode: 0, text: /sub\nkept\n$/ })
    const flood = await bash('seq 1 2000')
    t.ok(flood.truncatedBytes > 0)
    t.match(flood.text, new RegExp(`${flood.truncatedBytes} bytes of output were left out`))
    t.match(await bash('sleep 30'), { exitCode: null, timedOut: true, text: /killed after 1\.5 s/ })
    t.match(await bash('echo alive'), { exitCode: 0, text: 'alive\n' })
    t.match(await bash('a\0b'), { exitCode: 1 })
  })

  t.test('a submit takes the five files out, or says what is missing', async t => {
    await executeTool(sandbox, { tool: 'bash', command: 'cd; for f in s t p.py b w; do echo $f > /tmp/$f; done' }, limits)
    const paths = { testScript: '/tmp/s', testFiles: '/tmp/t', testParser: '/tmp/p.py', bugInject: '/tmp/b', testWeaken: '/tmp/w' }
    t.match(await collectArtifact(sandbox, { tool: 'submit', paths }), { kept: { parserName: 'test_parser.py', bugInject: Buffer.from('b\n') } })
    t.match(await collectArtifact(sandbox, { tool: 'submit', paths: { ...paths, bugInject: '/tmp/none' } }), { refused: /Cannot submit bugInject/ })
    t.match(await collectArtifact(sandbox, { tool: 'submit', paths: null }), { refused: /no path was given for testScript/ })
  })

  t.test('an attempt is the canonical diff of the tree against its first commit', async t => {
    const solver = await open()
    await executeTool(solver, { tool: 'bash', command: 'git init -q . && git add -A && git -c user.name=a -c user.email=a@a commit -qm base && git config diff.noprefix true' }, toolLimits)
    const base = Buffer.from((await solver.exec('git rev-parse HEAD', { timeoutMs: 5000, outputBytesMax: 1000 })).output).toString().trim()
    await executeTool(solver, { tool: 'bash', command: 'printf "one\\nTWO" > a.txt; git add -A; git -c user.name=a -c user.email=a@a commit -qm mine' }, toolLimits)
    const collected = await collectPatch(solver, base)
    t.match('kept' in collected && Buffer.from(collected.kept).toString(), /^diff --git a\/a\.txt b\/a\.txt\nindex [0-9a-f]{40}\.\.[0-9a-f]{40} 100644\n--- a\/a\.txt\n\+\+\+ b\/a\.txt\n/)
  })

  t.test('a sandbox that dies under a tool throws; no result is made up', async t => {
    const doomed = await open()
    const pending = executeTool(doomed, { tool: 'bash', command: 'sleep 20' }, { ...limits, commandMsMax: 30_000 })
    setTimeout(() => { void doomed.destroy() }, 100)
    await t.rejects(pending, Object.assign(new Error(), { retryable: true }) as Error)
  })

  t.test('a session hands the policy its budget and keeps the transcript', async t => {
    const seen: unknown[] = []
    const replies = [{ text: 'look', call: { tool: 'bash' as const, command: 'echo hi' }, fault: null }, { text: 'no call', call: null, fault: 'forgot' }, { text: 'bye', call: null, fault: 'done', ends: true as const }]
    const session = createRolloutSession({
      policy: { name: 'p', version: '1', start: () => ({ next: async observation => { seen.push(observation); return replies[seen.length - 1]! }, close: async () => {} }) },
      task: { role: 'breaker', rolloutId: 'r', strategy: 'direct', params: { minPassing: 1, minFiles: 1, minFailing: 1 }, seed: 1, tree: '', scratch: '', testCommand: null, turnsMax: 10, tokensMax: 1000, commandMsMax: 1000 },
      limits, clock: systemClock, open, collect: async () => ({ kept: 1 })
    })
    await session.open(new AbortController().signal)
    const { signal } = new AbortController()
    t.match(await session.ask({ turns: 0, tokens: 0 }, signal), { next: 'act' })
    await session.act({ turns: 1, tokens: 10 }, signal)
    t.match(await session.ask({ turns: 1, tokens: 11 }, signal), { next: 'malformed', reason: 'forgot' })
    t.match(await session.ask({ turns: 2, tokens: 20 }, signal), { next: 'giveUp', reason: 'done' })
    await session.close()
    t.match(seen, [null, { exitCode: 0, text: 'hi\n', turnsLeft: 9, tokensLeft: 989 }, { exitCode: 1, text: /No tool was called/, turnsLeft: 9 }])
    t.equal(session.turns.length, 3)
  })
})

t.test('a match covers whole lines', async t => {
  t.strictSame(wholeLineMatches('ab\nab\nabc\nab', 'ab'), [0, 3, 10])
  t.strictSame(wholeLineMatches('a\nb\n', 'a\nb\n'), [0])
  t.strictSame(wholeLineMatches('xab\n', 'ab'), [])
})
