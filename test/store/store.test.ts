import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Arena } from '../../src/domain.ts'
import { runDefaults } from '../../src/run/options.ts'
import { currentOwner, processStartedAt } from '../../src/sandbox/owner.ts'
import { openJsonLog } from '../../src/store/files.ts'
import { holdFolder } from '../../src/store/hold.ts'
import { openLedger } from '../../src/store/ledger.ts'
import { createRunStore, openRunStore } from '../../src/store/run.ts'
import { testFolder } from '../helpers/test-folder.ts'

t.test('a log whose last line was torn by a crash goes on after the last whole line', async t => {
  const path = join(testFolder(t), 'log.jsonl')
  openJsonLog(path).append({ n: 1 })
  appendFileSync(path, '{"n": 2, "té')
  const again = openJsonLog<{ n: number }>(path)
  t.strictSame(again.lines, [{ n: 1 }])
  again.append({ n: 3 })
  t.equal(readFileSync(path, 'utf8'), '{"n":1}\n{"n":3}\n')
})

t.test('the ledger counts each piece of work once, also over a restart', async t => {
  const path = join(testFolder(t), 'ledger.jsonl')
  const book = openLedger(path)
  for (const id of ['a', 'b', 'c']) book.enter(id, 'dispatched', 1)
  book.enter('a', 'settled', 2)
  const again = openLedger(path)
  t.strictSame(again.open(), ['b', 'c'])
  again.enter('a', 'dispatched', 3)
  again.enter('a', 'quarantined', 3)
  again.enter('b', 'dispatched', 3)
  again.enter('b', 'quarantined', 4, { code: 'SANDBOX_LOST', reason: 'gone' })
  again.enter('c', 'cancelled', 4)
  t.strictSame(openLedger(path).totals(), { dispatched: 3, settled: 1, cancelled: 1, quarantined: 1 })
})

const file = { spar: '0', node: '20', options: { target: 'x', ...runDefaults }, arena: {} as Arena, policies: { breaker: 'b', solver: 's' } }

t.test('a run folder is made once, opened again, and refused when it is not one', async t => {
  const dir = join(testFolder(t), 'run')
  const store = createRunStore(dir, file)
  store.keepResult('e0001.break', { kind: 'submitted' })
  t.throws(() => createRunStore(dir, file), { code: 'RUN_EXISTS' })
  writeFileSync(join(dir, 'results', 'e0002.break.json.x.draft'), '{')
  openRunStore(dir)
  t.ok(existsSync(join(dir, 'results', 'e0002.break.json.x.draft')), 'a reader touches nothing')
  const again = openRunStore(dir, { mend: true })
  t.notOk(existsSync(join(dir, 'results', 'e0002.break.json.x.draft')))
  t.strictSame(again.result('e0001.break'), { kind: 'submitted' })
  t.equal(again.result('e0002.break'), null)
  t.throws(() => openRunStore(t.testdirName), { code: 'RUN_NOT_FOUND' })
  writeFileSync(join(dir, 'run.json'), JSON.stringify({ ...file, schema_version: 99, run: 'run' }))
  t.throws(() => openRunStore(dir), { code: 'RUN_SCHEMA_NEWER' })
  const other = testFolder(t, { taken: { 'notes.txt': 'mine' } })
  t.throws(() => createRunStore(join(other, 'taken'), file), { code: 'RUN_FOLDER_NOT_EMPTY' })
})

t.test('a line that could not be written whole does not spoil the next one', async t => {
  const path = join(testFolder(t), 'log.jsonl')
  const log = openJsonLog<{ n: number }>(path)
  log.append({ n: 1 })
  const { append } = log
  appendFileSync(path, '{"n": 2')
  const circle: { n: number; self?: unknown } = { n: 3 }
  circle.self = circle
  t.throws(() => append(circle), { code: 'STORE_WRITE_FAILED', retryable: true })
  append({ n: 4 })
  t.equal(readFileSync(path, 'utf8'), '{"n":1}\n{"n":4}\n')
})

t.test('a run is played by one process at a time; one that died holds nothing', async t => {
  const dir = join(testFolder(t), 'run')
  holdFolder(dir)
  createRunStore(dir, file)
  const path = join(dir, 'held.json')
  const other = { ...currentOwner(), pid: process.ppid, startedAt: processStartedAt(process.ppid) }
  writeFileSync(path, JSON.stringify(other))
  t.throws(() => holdFolder(dir), { code: 'FOLDER_HELD', data: { pid: process.ppid } })
  t.strictSame(JSON.parse(readFileSync(path, 'utf8')), other, 'it is left alone')
  writeFileSync(path, JSON.stringify({ ...other, startedAt: 'long ago' }))
  holdFolder(dir)
  t.equal((JSON.parse(readFileSync(path, 'utf8')) as { pid: number }).pid, process.pid)
})
