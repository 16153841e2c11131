// A machine test is a table: events in, state and outcome out. Nothing runs.

import t from 'tap'
import { createActor, initialTransition, transition, type SnapshotFrom } from 'xstate'
import { verifier } from '../../machines/verifier.ts'
import type { Check, CheckName } from '../../src/domain.ts'
import { stageNames, toVerdict } from '../../src/verify/index.ts'
import { createBug } from '../../src/artifact/index.ts'

const input = { bugId: 'bug-1', stageMsMax: 1000 }
const check = (name: CheckName, verdict: Check['verdict'] = 'pass'): Check => ({ name, verdict, reason: '', evidence: {} })
const done = (id: string, checks: Check[], findings = {}) => ({ type: `xstate.done.actor.${id}`, output: { checks, findings }, actorId: id }) as never
const thrown = (id: string, error: unknown) => ({ type: `xstate.error.actor.${id}`, error, actorId: id }) as never

function play (...events: never[]): { states: unknown[]; last: SnapshotFrom<typeof verifier> } {
  let [snapshot] = initialTransition(verifier, input)
  const states: unknown[] = [snapshot.value]
  for (const event of events) {
    ;[snapshot] = transition(verifier, snapshot, event)
    states.push(snapshot.value)
  }
  return { states, last: snapshot }
}

const passing = [
  done('static', [check('files'), check('scope')], { files: ['a.js'] }),
  done('clean', [check('parser'), check('script')]),
  done('buggy', [check('parser'), check('bug')]),
  done('weakened', [check('parser'), check('weaken')]),
  done('inverse', [check('inverse')], { mode: 'strict' }),
  done('determinism', [check('determinism')], { f2p: ['x'], p2p: ['y'], quarantined: [] })
]

const bytes = new Uint8Array()
const bug = createBug({ testScript: bytes, testFiles: bytes, testParser: bytes, parserName: 'test_parser.py', bugInject: bytes, testWeaken: bytes, predPatch: null })

t.test('every stage is passed in order, and the verdict lists every check once, in its order', async t => {
  const { states, last } = play(...passing)
  t.strictSame(states, [...stageNames, 'done'])
  const verdict = toVerdict(bug, last.output!)
  t.match(verdict, { decided: true, valid: true, failed: null, mode: 'strict', files: ['a.js'], f2p: ['x'], p2p: ['y'] })
  t.strictSame(verdict.checks.map(check => check.name), ['files', 'parser', 'script', 'scope', 'bug', 'weaken', 'inverse', 'determinism'])
})

t.test('the first failed check decides, and what comes later is skipped', async t => {
  const { states, last } = play(...passing.slice(0, 2), done('buggy', [check('bug', 'fail')]))
  t.strictSame(states, ['static', 'clean', 'buggy', 'done'])
  const verdict = toVerdict(bug, last.output!)
  t.match(verdict, { decided: true, valid: false, failed: 'bug' })
  t.strictSame(verdict.checks.map(check => check.verdict), ['pass', 'pass', 'pass', 'pass', 'fail', 'skip', 'skip', 'skip'])
})

t.test('a later log may fail the parser, which passed before', async t => {
  const { last } = play(...passing.slice(0, 2), done('buggy', [check('parser', 'fail')]))
  t.equal(toVerdict(bug, last.output!).failed, 'parser')
})

t.test('in every stage a fault of ours, a deadline and a cancel leave the bug undecided', async t => {
  for (const [index, stage] of stageNames.entries()) {
    const before = passing.slice(0, index)
    const lost = play(...before, thrown(stage, { code: 'SANDBOX_LOST', message: 'gone' })).last.output!
    t.match(lost, { kind: 'undecided', stage, code: 'SANDBOX_LOST' })
    const verdict = toVerdict(bug, lost)
    t.match(verdict, { decided: false, valid: false, failed: null })
    t.equal(verdict.checks.filter(check => check.verdict === 'error').length, 1)
    t.match(play(...before, { type: `xstate.after.stageDeadline.verifier.${stage}` } as never).last.output, { kind: 'undecided', stage, code: 'VERIFY_DEADLINE' })
    const cancelled = toVerdict(bug, play(...before, { type: 'verifier.cancel' } as never).last.output!)
    t.match(cancelled, { decided: false, valid: false, failed: null })
    t.ok(cancelled.checks.some(check => check.verdict === 'error'))
  }
})

t.test('the machine survives a JSON round trip in every state', async t => {
  let [snapshot] = initialTransition(verifier, input)
  for (const event of passing) {
    const restored = createActor(verifier, { input, snapshot: JSON.parse(JSON.stringify(snapshot)) }).getSnapshot()
    t.strictSame(transition(verifier, restored, event)[0].value, transition(verifier, snapshot, event)[0].value)
    ;[snapshot] = transition(verifier, snapshot, event)
  }
})
