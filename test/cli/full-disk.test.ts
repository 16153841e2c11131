// Goal: a full disk ends a run with a code, nothing half-written counts as whole, nothing is scored or given up because of
// it, and --resume plays on as if there had been space. Method: the real command line on disks of a few kilobytes (tmpfs, so
// only as root on Linux), which then grow.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { RunSummary } from '../../src/run/summary.ts'
import { git } from '../arena/grounds.ts'
import { writeTree } from '../arena/support.ts'
import { spar, type Ran } from '../helpers/spar.ts'

const root = mkdtempSync(join(tmpdir(), 'spar-full-disk-'))
const disks: string[] = []
t.teardown(() => {
  for (const disk of disks) execFileSync('umount', [disk])
  execFileSync('chmod', ['-R', 'u+rwX', root])
  rmSync(root, { recursive: true, force: true })
})

function makeDisk (size: string): string | null {
  const disk = join(root, `disk-${size}`)
  mkdirSync(disk)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk], { stdio: 'ignore' })
  } catch {
    return null
  }
  disks.push(disk)
  return disk
}

const source = `exports.clamp = (value, low, high) => {
  if (value < low) return low
  if (value > high) return high
  return value
}
exports.max = list => {
  if (list.length === 0) return null
  let best = list[0]
  for (const one of list) if (one > best) best = one
  return best
}
`
const tests = `const test = require('node:test')
const assert = require('node:assert')
const { clamp, max } = require('../lib/calc.js')
test('low', () => assert.equal(clamp(1, 2, 3), 2))
test('high', () => assert.equal(clamp(9, 2, 3), 3))
test('inside', () => assert.equal(clamp(2.5, 2, 3), 2.5))
test('none', () => assert.equal(max([]), null))
test('one', () => assert.equal(max([3]), 3))
test('middle', () => assert.equal(max([1, 5, 2]), 5))
test('negative', () => assert.equal(max([-3, -5]), -3))
`

const options = ['--episodes', '1', '--group', '1', '--min-files', '1', '--max-order', '1', '--jobs', '2', '--strategy', 'removal', '--sandbox', 'process', '--json']
const essence = ({ bugs, rejected, faults, ledger }: RunSummary): unknown => [bugs, rejected, faults, ledger]

t.test('a full disk', { timeout: 600_000 }, async t => {
  const probe = makeDisk('256k')
  if (probe === null) return t.pass('not here', { skip: 'only root can make a small disk' })
  const target = join(root, 'target')
  mkdirSync(target)
  git(target, 'init', '-q', '-b', 'trunk')
  writeTree(target, { 'lib/calc.js': source, 'test/one.test.js': tests, 'test/two.test.js': tests })
  git(target, 'add', '-A')
  git(target, 'commit', '-q', '-m', 'x')
  const home = join(root, 'home')
  const play = (out: string, more: string[] = []): Promise<Ran> => spar(['play', target, ...options, '--out', out, ...more], { home, cwd: root })

  const whole = await play(join(root, 'whole'))
  t.equal(whole.code, 0, whole.err)
  const wanted = essence(whole.json)

  for (const size of ['4k', '32k', '128k']) {
    t.test(`a run on a disk of ${size}`, async t => {
      const disk = makeDisk(size)!
      const out = join(disk, 'out')
      const full = await play(out)
      t.match(full, { code: 2, json: { error: { code: /^(RUN_INCOMPLETE|STORE_WRITE_FAILED)$/, retryable: true, message: /ENOSPC|no space/ } } }, full.err)
      t.notMatch(full.err, /is quarantined|is issued again/, 'nothing is given up')
      t.match(full.err.trimEnd().split('\n').at(-1), /^spar play: Cannot /, 'the reason is the last that is said')
      const drafts = readdirSync(disk, { recursive: true, encoding: 'utf8' }).filter(path => /\.draft$|\/\.e\d/.test(path))
      t.strictSame(drafts, [], 'nothing half-written is left')
      execFileSync('mount', ['-o', 'remount,size=50m', disk])
      const begun = full.json.error.code === 'RUN_INCOMPLETE'
      const resumed = await play(out, begun ? ['--resume'] : [])
      t.equal(resumed.code, 0, resumed.err)
      t.strictSame(essence(resumed.json), wanted, 'the run is the one that would have been')
    })
  }

  t.test('an arena on a full disk', async t => {
    const full = await spar(['play', target, ...options, '--out', join(root, 'none')], { home: join(probe, 'home'), cwd: root })
    t.match(full, { code: 2, json: { error: { code: 'DISK_FULL', retryable: true, message: /SPAR_HOME/ } } }, full.err)
    const tiny = await spar(['play', target, ...options, '--out', join(root, 'none')], { home: join(makeDisk('8k')!, 'home'), cwd: root })
    t.match(tiny, { code: 2, json: { error: { code: 'DISK_FULL' } } }, tiny.err)
    execFileSync('mount', ['-o', 'remount,size=50m', probe])
    const added = await spar(['arena', 'add', target, '--json', '--sandbox', 'process'], { home: join(probe, 'home'), cwd: root })
    t.equal(added.code, 0, added.err)
  })
})
