// Goal: a search that reaches a limit says so, one that cannot be done is a fault of the sandbox, each tree is searched once,
// and the search itself leaks nothing. Method: limits set low, sandboxes that fail, commands that are counted.

import t from 'tap'
import { SparError } from '../../../src/errors.ts'
import type { ExecResult, Sandbox } from '../../../src/ports.ts'
import { createLeakMemory, leakLimits, scanSolverTree } from '../../../src/verify/leaks/index.ts'
import { prepareSolverTree } from '../../../src/verify/solver-tree.ts'
import { text } from '../../artifact/git.ts'
import { makeBug, must, openLab, original, simpleBug, toldOf, util, utilPath, type Lab } from './fixture.ts'

const lab = await openLab(t)

t.test('limits that are reached are findings', async t => {
  const copies = Object.fromEntries(['a', 'b', 'c'].map(name => [`${name}/copy.txt`, text(util)]))
  const packs = { 'a.pack': text(''), 'b.pack': text('') }
  const cases: [limits: Parameters<typeof lab.find>[0]['limits'], env: Record<string, { bytes: Buffer }>, says: RegExp][] = [
    [{ listingBytesMax: 100 }, copies, /listingBytesMax/],
    [{ namesBytesMax: 20 }, copies, /namesBytesMax/],
    [{ namesakesMax: 1 }, { 'x/util.py': text('x'), 'y/util.py': text('y') }, /namesakesMax/],
    [{ candidatesMax: 1 }, copies, /\d files that may hold the original were not read \(candidatesMax\)/],
    [{ candidateBytesMax: 200 }, copies, /not read to their ends \(candidateBytesMax\)/],
    [{ archivesMax: 0 }, { 'a.zip': text('') }, /archives, .*\(archivesMax\)/],
    [{ archiveBytesMax: 10 }, { 'a.tgz': text('longer than ten') }, /a\.tgz: it is too large/],
    [{ storesMax: 1 }, packs, /1 packs and bundles of git were not read \(storesMax\)/],
    [{ findingsMax: 1 }, copies, /more findings are not listed \(findingsMax\)/],
    [{ originalBytesMax: 100 }, {}, /cannot be worked out/]
  ]
  for (const [limits, env, says] of cases) {
    const findings = await lab.find({ env, ...limits === undefined ? {} : { limits } })
    const said = findings.filter(finding => /^leak-(?:unscanned|more): /.test(finding))
    t.ok(said.some(finding => says.test(finding)), `${JSON.stringify(limits)}: ${findings.join('; ')}`)
  }
  const twice = util + util.replaceAll('total_weight', 'all_weights_of_them')
  const bug = { tree: { [utilPath]: text(twice) }, limits: { fragmentsMax: 1 } }
  const findings = await lab.find({ ...bug, bug: makeBug({ ...original, [utilPath]: text(twice) }, { [utilPath]: text(twice.replaceAll(' == 0', ' == 1')) }) })
  t.match(findings, [/^leak-unscanned: only 1 of \d pieces of text are looked for \(fragmentsMax\)$/])
})

/** A solver's tree, ready to be searched. */
async function prepared (lab: Lab, env = {}): Promise<{ sandbox: Sandbox; request: Parameters<typeof scanSolverTree>[1] }> {
  const arena = lab.arena({ env })
  const sandbox = await lab.open(arena)
  const bug = simpleBug()
  return { sandbox, request: { bug, arena, commit: await prepareSolverTree(sandbox, bug) } }
}

t.test('the tree of a bug is searched once, whoever asks, and the system is listed once', async t => {
  const memory = createLeakMemory()
  const { sandbox, request } = await prepared(lab, { 'copy.txt': text(util) })
  t.teardown(() => sandbox.destroy())
  const commands: string[] = []
  const told = toldOf(sandbox, command => { commands.push(command) })
  const all = await Promise.all([1, 2, 3].map(async () => await scanSolverTree(told, request, memory)))
  t.match(all[0], [/^leak-copy/])
  t.ok(all.every(findings => findings === all[0]), 'one answer for all')
  const first = commands.length
  const listing = (command: string): boolean => command.includes(String(leakLimits.listingBytesMax + 1))
  t.equal(commands.filter(listing).length, 2, 'the system and the mounts')
  await scanSolverTree(told, request, memory)
  t.equal(commands.length, first, 'nothing is asked again')
  await scanSolverTree(told, { ...request, commit: request.commit, bug: { ...request.bug, id: 'bug-1' } }, memory)
  t.ok(commands.length > first, 'another bug is searched for')
  t.equal(commands.slice(first).filter(listing).length, 0, 'with the listings that there are')
  const small = createLeakMemory({ ...leakLimits, scansMax: 2, listingsMax: 1 })
  for (const id of ['bug-1', 'bug-2', 'bug-3']) await scanSolverTree(told, { ...request, bug: { ...request.bug, id } }, small)
  t.same([small.scans.size, small.listings.size], [2, 1], 'the oldest are forgotten')
})

t.test('a search that fails is nobody else\'s', async t => {
  const memory = createLeakMemory()
  const [one, other] = await Promise.all([prepared(lab), prepared(lab)])
  const request = one.request
  const gone = scanSolverTree(toldOf(one.sandbox, async () => { await one.sandbox.destroy() ; throw new SparError('SANDBOX_LOST', 'gone', { retryable: true }) }), request, memory)
  const waits = scanSolverTree(other.sandbox, request, memory)
  await t.rejects(gone, { code: 'SANDBOX_LOST', retryable: true })
  t.same(await waits, [])
  await other.sandbox.destroy()
})

t.test('deadlines and refusals are faults of the sandbox', async t => {
  const { sandbox, request } = await prepared(lab)
  t.teardown(() => sandbox.destroy())
  const ending = (result: Partial<ExecResult>): Sandbox => toldOf(sandbox, async () => ({ exitCode: 0, output: new Uint8Array(), truncatedBytes: 0, killed: null, durationMs: 1, ...result }))
  t.match(await scanSolverTree(ending({ killed: 'timeout', exitCode: null }), request, createLeakMemory()), [/^leak-unscanned: .*killed \(timeout\)/])
  await t.rejects(scanSolverTree(ending({ exitCode: 3 }), request, createLeakMemory()), { code: 'LEAKS_FAILED', retryable: true })
  await t.rejects(scanSolverTree(ending({}), request, createLeakMemory()), { code: 'LEAKS_UNREADABLE', retryable: true })
  await t.rejects(scanSolverTree(sandbox, request, createLeakMemory(), AbortSignal.abort()), { code: 'ABORTED', retryable: true })
  t.match(await scanSolverTree(sandbox, request, createLeakMemory(), undefined, { ...leakLimits, commandMsMax: 1 }), [/^leak-unscanned: .*killed \(timeout\)/])
})

t.test('the shell that the solver goes on with never had the original in a command, and no file of the search is left', async t => {
  const { sandbox, request } = await prepared(lab, { 'shapes/util.py': text(util), 'copy.txt': text(util) })
  t.teardown(() => sandbox.destroy())
  const commands: string[] = []
  const before = await must(sandbox, 'find /tmp "$PWD" /spar -path "$PWD/.git" -prune -o -type f -size +0 -print | sort')
  const findings = await scanSolverTree(toldOf(sandbox, command => { commands.push(command) }), request, createLeakMemory())
  t.equal(findings.length, 2)
  t.notOk(commands.some(command => /total_weight|ZeroDivision/.test(command)))
  t.equal(await must(sandbox, 'find /tmp "$PWD" /spar -path "$PWD/.git" -prune -o -type f -size +0 -print | sort'), before)
  t.equal(await must(sandbox, 'git status --porcelain'), '')
})
