// Goal: what is said in a rollout comes back as it was, wherever it was kept, and the file is as small as what is in flight.
// Method: properties over random texts against a plain list; then each limit is reached.

import fc from 'fast-check'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { createSpill, spillLimits, type Spill } from '../../src/rollout/spill.ts'
import { createSpilledList } from '../../src/rollout/spilled-list.ts'
import { testFolder } from '../helpers/test-folder.ts'

const small = { inlineCharsMax: 8, pageBytes: 64, bytesMax: 2 ** 20 }
const folder = testFolder(t)
const open = (limits = spillLimits): Spill => {
  const spill = createSpill(folder, limits)
  t.teardown(() => spill.close())
  return spill
}

t.test('a list that is spilled says what a plain one says', async () => {
  const spill = open(small)
  const entry = fc.record({ role: fc.constantFrom('user', 'tool'), content: fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.constant('\ud800 half a pair'), fc.string({ maxLength: 4 })) })
  fc.assert(fc.property(fc.array(entry, { maxLength: 12 }), fc.nat(14), (entries, from) => {
    const [spilled, plain] = [createSpilledList<typeof entries[number]>(spill), createSpilledList<typeof entries[number]>(null)]
    for (const each of entries) for (const list of [spilled, plain]) list.push(each)
    const same = JSON.stringify(spilled.slice(from)) === JSON.stringify(entries.slice(from)) && JSON.stringify(plain.slice(from)) === JSON.stringify(entries.slice(from)) &&
      spilled.length === entries.length && spilled.last === entries.at(-1) &&
      spilled.characters(from) === entries.slice(from).reduce((sum, each) => sum + JSON.stringify(each).length, 0)
    spilled.free()
    return same && spilled.length === 0 && spill.used === 0
  }))
})

t.test('the last entry may still change, and one that was read back is a copy', async t => {
  const list = createSpilledList<{ said: string; heard?: string }>(open(small))
  list.push({ said: 'a long thing to say' })
  list.last!.heard = 'an answer'
  list.push({ said: 'more' })
  t.same(list.slice(), [{ said: 'a long thing to say', heard: 'an answer' }, { said: 'more' }])
  list.slice()[0]!.said = 'else'
  t.equal(list.slice()[0]!.said, 'a long thing to say')
})

t.test('rollouts side by side keep their own, and pages go from those that end to those that begin', async t => {
  const spill = open(small)
  const text = (name: string): string => `${name} `.repeat(100)
  for (let round = 0; round < 5; round++) {
    const stores = ['a', 'b', 'c'].map(name => ({ name, store: spill.open() }))
    const kept = [1, 2].flatMap(turn => stores.map(({ name, store }) => ({ name: name + turn, store, at: store.keep(text(name + turn)) })))
    for (const { name, store, at } of kept) t.equal(store.read(at), text(name))
    for (const { store } of stores) { store.free(); store.free() }
    t.equal(spill.used, 0)
  }
  t.ok(spill.size <= 3 * 2 * 5 * 64, `${spill.size} bytes are the most of one round`)
})

t.test('what does not fit stays in the heap, and so does what is short', async t => {
  const spill = open({ ...small, bytesMax: 3 * small.pageBytes })
  const store = spill.open()
  t.equal(store.keep('12345678'), '12345678', 'inlineCharsMax')
  const first = store.keep('x'.repeat(100))
  t.same(first, { at: 0, bytes: 100 })
  t.equal(store.keep('y'.repeat(100)), 'y'.repeat(100), 'bytesMax')
  t.equal(store.read(store.keep('z'.repeat(60))), 'z'.repeat(60), 'what fits still does')
  t.equal(store.read(first), 'x'.repeat(100))
  spill.close()
  spill.close()
  t.equal(store.keep('late, but not lost'), 'late, but not lost')
})

t.test('nothing is left of a process that is killed, and what stood there goes with the next start', async t => {
  const home = testFolder(t)
  mkdirSync(join(home, 'spill'))
  writeFileSync(join(home, 'spill', '12345'), '')
  const program = `import { createSpill } from ${JSON.stringify(pathToFileURL(join(process.cwd(), 'dist/src/rollout/spill.js')).href)}
    createSpill(${JSON.stringify(home)}).open().keep('x'.repeat(1e6))
    process.stdout.write('written')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  t.same(readdirSync(join(home, 'spill')), [], 'it has no name while it is in use')
  if (existsSync(`/proc/${child.pid}/fd`)) t.ok(readdirSync(`/proc/${child.pid}/fd`).some(fd => targetOf(`/proc/${child.pid}/fd/${fd}`).startsWith(join(home, 'spill'))))
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.same(readdirSync(join(home, 'spill')), [])
})

function targetOf (link: string): string {
  try { return readlinkSync(link) } catch { return '' }
}

t.test('a disk that is full keeps nobody from playing', { skip: !existsSync('/dev/full') }, async t => {
  // The kernel's own full disk: writing to it fails, whatever is written.
  const program = `import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    const write = fs.writeSync
    fs.writeSync = (file, ...rest) => file > 2 ? write(fs.openSync('/dev/full', 'w'), ...rest) : write(file, ...rest)
    syncBuiltinESMExports()
    const { createSpill } = await import(${JSON.stringify(pathToFileURL(join(process.cwd(), 'dist/src/rollout/spill.js')).href)})
    const store = createSpill(${JSON.stringify(folder)}).open()
    console.log(typeof store.keep('x'.repeat(5000)))`
  t.equal(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).trim(), 'string')
})
