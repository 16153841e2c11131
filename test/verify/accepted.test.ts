// Goal: artifacts that are good are taken, however awkward their files, and what is our fault is never a verdict.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { SparError } from '../../src/errors.ts'
import type { Sandbox, SandboxSpec } from '../../src/ports.ts'
import { createLimiter } from '../../src/limiter.ts'
import { createCleanRunCache } from '../../src/verify/index.ts'
import { text } from '../artifact/git.ts'
import { makeBug, oddName, openLab, original, valid, verdicts, type Recipe } from './fixture.ts'

const latin1 = (content: string): { bytes: Buffer } => ({ bytes: Buffer.from(content, 'latin1') })

t.test('a bug over modified, binary, renamed, deleted and oddly named files is taken, each file on its own', async t => {
  const lab = await openLab(t)
  const recipe: Recipe = {
    bug: {
      ...valid.bug,
      'src/crlf.js': latin1('// caf\xe9\r\nexports.name = "\xfc"\r\nexports.size = 2\r\n'),
      'src/data.bin': { bytes: Buffer.from([0, 1, 2, 0, 10, 13, 0]) },
      [oddName]: null,
      'src/words.js': null,
      'src/letters.js': original['src/words.js']!
    },
    weaken: valid.weaken,
    flags: ['-M']
  }
  const verdict = await lab.verify(recipe)
  t.ok(verdict.valid, verdicts(verdict) + JSON.stringify(verdict.checks.find(check => check.verdict !== 'pass')))
  t.strictSame(verdict.files.toSorted(), ['src/add.js', 'src/crlf.js', 'src/data.bin', oddName, 'src/words.js => src/letters.js'].toSorted())
  t.strictSame(verdict.f2p, ['test/files.test.js::data', 'test/files.test.js::odd', 'test/files.test.js::size', 'test/numbers.test.js::adds', 'test/words.test.js::down', 'test/words.test.js::up'])
  t.strictSame(verdict.p2p, ['test/files.test.js::pair', 'test/numbers.test.js::subtracts', 'test/numbers.test.js::zero'])
  t.equal(verdict.mode, 'strict')
  t.strictSame(lab.left(), [])
})

t.test('files that are only needed together hold in group mode, and the verdict says so', async t => {
  const lab = await openLab(t)
  const recipe: Recipe = { ...valid, bug: { ...valid.bug, 'src/pair-a.js': text('exports.a = false\n'), 'src/pair-b.js': text('exports.b = false\n') } }
  const verdict = await lab.verify(recipe, { mode: 'group' })
  t.match(verdict, { valid: true, mode: 'group' }, verdicts(verdict))
  t.strictSame((verdict.checks.find(check => check.name === 'inverse')!.evidence['restored'] as { files: string[] }[]).map(({ files }) => files), [['src/add.js'], ['src/pair-a.js', 'src/pair-b.js']])
  const idle = await lab.verify({ ...recipe, bug: { ...recipe.bug, 'src/unused.js': text('') } }, { mode: 'group' })
  t.match(idle, { valid: false, failed: 'inverse' })
})

t.test('a flaky test is left out where enough others remain', async t => {
  const lab = await openLab(t)
  const flaky = "check('flaky', () => same(require('node:crypto').randomInt(2), 0))\n"
  const recipe: Recipe = { ...valid, original: { 'test/words.test.js': text(original['test/words.test.js']!.bytes.toString() + flaky) } }
  // Eight runs agree on a coin in one of 128.
  const verdict = await lab.verify(recipe, { repeats: 8 })
  t.match(verdict, { valid: true, quarantined: ['test/words.test.js::flaky'] }, verdicts(verdict))
  t.notOk([...verdict.f2p, ...verdict.p2p].includes('test/words.test.js::flaky'))
})

t.test('tests of a file that cannot be collected for a missing name count as failed, a deleted test is gone', async t => {
  const lab = await openLab(t)
  const verdict = await lab.verify({ ...valid, bug: { ...valid.bug, 'src/words.js': text('exports.up = missing\n') } })
  t.match(verdict, { valid: true, f2p: ['test/numbers.test.js::adds', 'test/words.test.js::down', 'test/words.test.js::up'] }, verdicts(verdict))
})

t.test('the parser may be Python, JavaScript, bash or anything with a shebang', async t => {
  const lab = await openLab(t)
  const python = "import sys, json, re\nprint(json.dumps({m[2]: 'failed' if m[1] else 'passed' for m in re.finditer(r'^(not )?ok (.*)$', sys.stdin.read(), re.M)}))\n"
  const awk = Buffer.from(makeBug(valid).files.testParser).toString()
  for (const [parserName, testParser] of [['test_parser.py', python], ['test_parser.sh', awk], ['test_parser', awk]] as const) {
    t.ok((await lab.verify({ ...valid, files: { parserName, testParser } })).valid, parserName)
  }
})

t.test('the clean run is made once for bugs that share a suite', async t => {
  const lab = await openLab(t)
  const purposes: string[] = []
  const counting = { open: async (spec: SandboxSpec, signal?: AbortSignal) => { purposes.push(spec.label.purpose); return await lab.sandboxes.open(spec, signal) } }
  const other: Recipe = { ...valid, bug: { 'src/add.js': text('exports.add = () => 0\nexports.sub = (a, b) => a - b\n') } }
  const both = await Promise.all([lab.verify(valid, { ports: { sandboxes: counting } }), lab.verify(other, { ports: { sandboxes: counting } })])
  t.ok(both.every(verdict => verdict.valid), both.map(verdicts).join())
  t.equal(purposes.filter(purpose => purpose === 'clean').length, 2, 'one for each repeat, not for each bug')
})

t.test('a sandbox that is lost leaves the bug undecided, whichever run it hits', async t => {
  const lab = await openLab(t)
  for (const purpose of ['clean', 'buggy', 'weakened', 'parser']) {
    const losing = {
      async open (spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> {
        const sandbox = await lab.sandboxes.open(spec, signal)
        // Dies under the first command that comes after this.
        if (spec.label.purpose === purpose) void sandbox.exec('sleep 0.05', { timeoutMs: 9000, outputBytesMax: 10 }).then(async () => await sandbox.destroy(), () => {})
        return sandbox
      }
    }
    const verdict = await lab.verify(valid, { ports: { sandboxes: losing, cleanRuns: createCleanRunCache() } })
    t.match(verdict, { decided: false, valid: false, failed: null }, `${purpose}: ${verdicts(verdict)}`)
    t.match(verdict.checks.find(check => check.verdict === 'error')?.evidence, { code: 'SANDBOX_LOST' }, purpose)
  }
  t.strictSame(lab.left(), [])
})

t.test('sandboxes that cannot be opened leave the bug undecided', async t => {
  const lab = await openLab(t)
  const verdict = await lab.verify(valid, { ports: { sandboxes: { open: async () => { throw new SparError('SANDBOX_LOST', 'no', { retryable: true }) } } } })
  t.match(verdict, { decided: false, failed: null })
})

t.test('an abort ends every run at once and leaves no sandbox', async t => {
  const lab = await openLab(t)
  const abort = new AbortController()
  const cores = createLimiter(2)
  const going = lab.verify({ ...valid, files: { testScript: 'sleep 60\n' } }, { signal: abort.signal, ports: { cores } })
  while (cores.active < 2) await sleep(10)
  abort.abort()
  const verdict = await going
  t.match(verdict, { decided: false, valid: false, failed: null })
  t.ok(verdict.checks.some(check => check.verdict === 'error'))
  t.strictSame([cores.active, cores.waiting], [0, 0])
  t.strictSame(lab.left(), [])
})
