// The pool runs real threads. A thread that misbehaves is a file of its own, written for the test.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { SparError } from '../../src/errors.ts'
import { createPool } from '../../src/workers/pool.ts'
import type { PoolOptions, Workers } from '../../src/workers/pool.ts'
import type { Tasks } from '../../src/workers/tasks.ts'
import { testFolder } from '../helpers/test-folder.ts'

const source = { path: 'a.js', text: 'export function f (a, b) { return !a && b }' }

function open (test: { teardown (end: () => Promise<void>): void }, options: PoolOptions = {}): Workers {
  const pool = createPool({ threads: 1, ...options })
  test.teardown(() => pool.close())
  return pool
}

/** A thread's file that answers each task by an expression over `name` and `input`; `tasks` are those of the message. */
const answering = (expression: string): string =>
  `export default async ({ tasks }) => { const replies = []; for (const { name, input } of tasks) replies.push({ ok: true, output: await (${expression}) }); return replies }\n`

const codeOf = (work: Promise<unknown>): Promise<string> => work.then(() => 'none', error => (error as SparError).code)

t.test('the real tasks answer across threads', async t => {
  const pool = open(t)
  const index = await pool.run('index', source) as NonNullable<Tasks['index']['output']>
  t.equal(index.language, 'javascript')
  t.ok(index.removals.some(({ operator }) => operator === 'remove negation'))
  t.equal(await pool.run('index', { path: 'a.js', text: 'function (' }), null)
  t.equal(await pool.run('index', { path: 'a.txt', text: 'hello' }), null)
  t.equal(await pool.run('parses', { path: 'a.py', text: 'def f():\n    return 1\n' }), true)
  t.equal(await pool.run('parses', { path: 'a.go', text: 'package a\nfunc (' }), false)
  const { candidates } = await pool.run('repairs', { ...source, suspicion: { 1: 1 }, corpus: [], hints: [], seed: 1, limit: 5 })
  t.equal(candidates.length, 5)
})

t.test('beyond the waiting tasks a task is refused', async t => {
  const pool = open(t, { queuedMax: 1 })
  const first = pool.run('parses', source)
  const second = pool.run('parses', source)
  t.equal(await codeOf(pool.run('parses', source)), 'WORKERS_BUSY')
  t.same(await Promise.all([first, second]), [true, true])
  t.equal(await pool.run('parses', source), true, 'and taken again when there is room')
})

t.test('a task can be aborted while it waits and while it runs', async t => {
  const folder = testFolder(t, { 'slow.mjs': answering('name === "index" ? new Promise(resolve => setTimeout(resolve, 600000)) : true') })
  const pool = open(t, { threadFile: join(folder, 'slow.mjs') })
  const [running, waiting] = [new AbortController(), new AbortController()]
  const stuck = codeOf(pool.run('index', source, { signal: running.signal }))
  const behind = codeOf(pool.run('index', source, { signal: waiting.signal }))
  waiting.abort()
  t.equal(await behind, 'WORKER_ABORTED')
  running.abort()
  t.equal(await stuck, 'WORKER_ABORTED')
  t.equal(await codeOf(pool.run('parses', source, { signal: AbortSignal.abort() })), 'WORKER_ABORTED')
  t.equal(await pool.run('parses', source), true, 'the pool goes on')
})

t.test('a task that outlasts its limit loses its thread', async t => {
  const folder = testFolder(t, { 'spin.mjs': 'export default () => { for (;;); }' })
  const pool = open(t, { threadFile: join(folder, 'spin.mjs'), taskMsMax: 300 })
  t.equal(await codeOf(pool.run('parses', source)), 'WORKER_TIMEOUT')
})

t.test('a thread that dies loses its task only, which is tried once more', async t => {
  const folder = testFolder(t, {
    'dies.mjs': answering('name === "index" ? process.exit(7) : true'),
    'once.mjs': 'import { existsSync, writeFileSync } from "node:fs"\n' + answering('existsSync(input.path) ? true : (writeFileSync(input.path, ""), process.exit(7))')
  })
  const pool = open(t, { threadFile: join(folder, 'dies.mjs'), threads: 2 })
  const lost = pool.run('index', source)
  const kept = pool.run('parses', source)
  await t.rejects(lost, { code: 'WORKER_LOST', retryable: true })
  t.equal(await kept, true)
  t.equal(await pool.run('parses', source), true)

  const second = open(t, { threadFile: join(folder, 'once.mjs') })
  const marker = join(folder, 'marker')
  t.equal(await second.run('parses', { path: marker, text: '' }), true)
  t.ok(existsSync(marker))
})

t.test('what waits is bounded in bytes, and one task may always wait', async t => {
  const text = ' '.repeat(1000)
  const pool = open(t, { queuedBytesMax: 1500 })
  const running = pool.run('parses', source)
  const large = pool.run('parses', { path: 'a.js', text: ' '.repeat(5000) })
  t.equal(await codeOf(pool.run('parses', { path: 'a.js', text })), 'WORKERS_BUSY')
  t.equal(pool.stats().queuedBytes, 5004)
  t.same(await Promise.all([running, large]), [true, true])
})

t.test('what runs is bounded in bytes: a task waits for room though a thread is free', async t => {
  const folder = testFolder(t, { 'late.mjs': answering('new Promise(resolve => setTimeout(resolve, 50, true))') })
  const pool = open(t, { threadFile: join(folder, 'late.mjs'), threads: 2, runningBytesMax: 1500 })
  const all = [1, 2].map(() => pool.run('parses', { path: 'a.js', text: ' '.repeat(1000) }))
  t.match(pool.stats(), { running: 1, queued: 1 })
  await Promise.all(all)
})

t.test('small tasks that wait go to a thread together; one that kills it loses only itself', async t => {
  const folder = testFolder(t, { 'batch.mjs': answering('input.text === "die" ? process.exit(7) : tasks.length') })
  const pool = open(t, { threadFile: join(folder, 'batch.mjs'), batchMax: 4 })
  const run = (text: string): Promise<unknown> => pool.run('parses', { path: 'a.js', text })
  t.same(await Promise.all(['0', '1', '2', '3', '4', '5', ' '.repeat(2 ** 16)].map(run)), [1, 4, 4, 4, 4, 1, 1], 'a large one goes alone')
  const [first, ...others] = await Promise.allSettled(['0', '1', 'die', '3'].map(run))
  t.match(first, { value: 1 })
  t.match(others, [{ value: 1 }, { status: 'rejected', reason: { code: 'WORKER_LOST' } }, { value: 1 }])
  t.match(pool.stats().tasks['parses'], { lost: 5, count: 10 })
  t.ok(pool.stats().tasks['parses']!.runUs.p50 > 0)
})

t.test('what cannot be sent rejects alone', async t => {
  const pool = open(t)
  const run = (text: unknown): Promise<boolean> => pool.run('parses', { path: 'a.js', text } as never)
  const [, good, bad, other] = await Promise.allSettled([run('0'), run('1'), run({ not () {} }), run('2')])
  t.match([good, other], [{ value: true }, { value: true }])
  t.match(bad, { status: 'rejected', reason: { name: 'DataCloneError' } })
})

t.test('buffers are moved out, and in where the caller says so', async t => {
  const folder = testFolder(t, { 'echo.mjs': `import { serve } from ${JSON.stringify(new URL('../../src/workers/thread.js', import.meta.url).href)}\nexport default serve({ parses: ({ bytes }) => ({ bytes }), index: () => process.exit(7) })` })
  const pool = open(t, { threadFile: join(folder, 'echo.mjs') })
  const bytes = new Uint8Array(1000).fill(7)
  const back = await pool.run('parses', { bytes } as never, { transfer: [bytes.buffer] }) as unknown as { bytes: Uint8Array }
  t.equal(bytes.length, 0, 'it went to the thread')
  t.same(back.bytes, new Uint8Array(1000).fill(7))
  await t.rejects(pool.run('index', { bytes: back.bytes } as never, { transfer: [back.bytes.buffer as ArrayBuffer] }), { code: 'WORKER_LOST', data: { tries: 1 } }, 'and cannot be tried again')
})

t.test('an error keeps its code across the thread', async t => {
  const folder = testFolder(t, { 'fails.mjs': 'export default () => [{ ok: false, error: { code: "AREA_FAILED", message: "why", retryable: true, data: { n: 1 } } }]' })
  const pool = open(t, { threadFile: join(folder, 'fails.mjs') })
  const error = await pool.run('parses', source).catch(error => error as unknown)
  t.ok(error instanceof SparError)
  t.match(error, { code: 'AREA_FAILED', message: 'why', retryable: true, data: { n: 1 } })
})

t.test('options outside of their rule are refused by name', t => {
  t.throws(() => createPool({ threads: 0 }), { code: 'OPTION_INVALID', message: /threads is 0/ })
  t.end()
})

t.test('closing refuses what waits, finishes what runs, and lets the process end', async t => {
  const pool = createPool({ threads: 1 })
  const first = pool.run('parses', source)
  const second = codeOf(pool.run('parses', source))
  await Promise.all([pool.close(), pool.close()])
  t.equal(await first, true)
  t.equal(await second, 'WORKERS_CLOSED')
  t.equal(await codeOf(pool.run('parses', source)), 'WORKERS_CLOSED')

  const poolUrl = new URL(`../../src/workers/pool${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href
  const script = `import { createPool } from ${JSON.stringify(poolUrl)}\nconst pool = createPool()\nconsole.log(await pool.run('parses', { path: 'a.js', text: '1' }))\nawait pool.close()`
  const program = join(testFolder(t, { 'closing.mjs': script }), 'closing.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv.filter(option => !option.includes('@tapjs')), program], { timeout: 60_000 })
  t.match(stdout, /true/)
})
