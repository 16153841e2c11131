// Goal: no faked bug is taken, and each is rejected by the check that names it. Method: one artifact a trick, verified in real
// sandboxes; the reason must say what was found, the verdict must follow from its evidence, no sandbox may be left.

import t from 'tap'
import { openLab, valid, verdicts } from '../../verify/fixture.ts'
import { keyedOnText, tricks, type Trick } from './cheats.ts'

t.test('each trick is rejected by the check that names it', async t => {
  const lab = await openLab(t)
  t.ok((await lab.verify(valid)).valid, 'what is spoiled is valid')
  const queue = [...tricks]
  const examine = async ({ what, failed, says, recipe, params = {}, limits = {} }: Trick): Promise<void> => {
    const verdict = await lab.verify(recipe, { params, limits })
    const reason = verdict.checks.find(({ name }) => name === verdict.failed)?.reason
    t.strictSame([verdict.decided, verdict.valid, verdict.failed], [true, false, failed], `${what}: ${verdicts(verdict)}: ${reason}`)
    t.match(reason, says, what)
  }
  const worker = async (): Promise<void> => { for (let next = queue.shift(); next !== undefined; next = queue.shift()) await examine(next) }
  await Promise.all([worker(), worker(), worker()])
  t.strictSame(lab.left(), [], 'no sandbox is left')
})

t.test('what is beyond a limit of the looks is left to the runs', async t => {
  const lab = await openLab(t)
  const asksHost = tricks.find(({ what }) => what === 'fails by the environment')!.recipe
  const large = await lab.verify(asksHost, { limits: { surveyFileBytesMax: 10 } })
  t.ok(large.valid, `an original of more than surveyFileBytesMax: ${verdicts(large)}`)
  const added = await lab.verify(asksHost, { limits: { surveyBytesMax: 10 } })
  t.match(added.checks.find(({ name }) => name === 'scope'), { verdict: 'fail', reason: /bytes of patch/ }, 'a patch of more than surveyBytesMax')
  const invents = tricks.find(({ what }) => what === 'invents a test')!.recipe
  const untraced = await lab.verify(invents, { limits: { tracedBytesMax: 10 } })
  t.match(untraced.checks.find(({ name }) => name === 'parser'), { verdict: 'pass' }, `a log of more than tracedBytesMax: ${verdicts(untraced)}`)
})

t.test('a failure that hangs on the text of its file does not outlive a newline', async t => {
  const lab = await openLab(t)
  const verdict = await lab.verify(keyedOnText)
  t.match(verdict, { valid: false, failed: 'determinism' }, verdicts(verdict))
  t.match(verdict.checks.find(({ name }) => name === 'determinism')?.reason, /newline more at the end of src\/add\.js/)
})
