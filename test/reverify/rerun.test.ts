import t from 'tap'
import type { Grade, Verdict } from '../../src/domain.ts'
import { drawWorks, followRun, runAgain, settleAgain, worksOf, type Followed, type Rerun } from '../../src/reverify/index.ts'
import type { RerunPorts } from '../../src/reverify/rerun.ts'
import { makeRun } from '../helpers/run-fixture.ts'
import { testFolder } from '../helpers/test-folder.ts'

const { store, arena } = await makeRun(testFolder(t))

/** What a verification and a grade find now. */
async function again (ports: Partial<RerunPorts>, signal = new AbortController().signal): Promise<{ rerun: Rerun; followed: Followed }> {
  const followed = await followRun(store)
  const keep: RerunPorts = { verify: async ({ bug }) => stored(bug.id), grade: async () => ({ ...grade, solved: true, outcome: 'solved' }), onDone: () => {} }
  return { followed, rerun: await runAgain(followed, followed.facts, { arena, works: worksOf(followed.facts), jobs: 2, signal }, { ...keep, ...ports }) }
}
const stored = (bugId: string): Verdict => ['e0001.verify', 'e0002.verify'].map(work => store.result<Verdict>(work)!).find(verdict => verdict.bugId === bugId)!
const grade: Grade = { solved: null, outcome: 'infra_fault', reason: 'the sandbox was lost', missing: [], failing: [], evidence: {} }
const byRerun = ({ notes }: Followed) => notes.differences.filter(({ by }) => by === 'rerun')

t.test('an infrastructure fault says nothing of either side', async t => {
  const { rerun, followed } = await again({ verify: async ({ bug }) => ({ ...stored(bug.id), decided: false, valid: false, failed: null }), grade: async () => grade })
  t.match(rerun, { verdicts: 2, grades: 5, same: 0, differing: 0 })
  t.strictSame(rerun.undecided.map(({ work }) => work).sort(), worksOf(followed.facts).sort())
  t.strictSame(byRerun(followed), [])
  t.strictSame(rerun.facts, followed.facts, 'what is stored stands')
})

t.test('a new verdict decides what the grades expect, and what the rewards are', async t => {
  const expected = new Set<string>()
  const { rerun, followed } = await again({
    verify: async ({ bug }) => ({ ...stored(bug.id), f2p: ['other'] }),
    grade: async ({ expected: { f2p } }) => { expected.add(f2p.join()); return { ...grade, solved: true, outcome: 'solved' } }
  })
  t.strictSame([...expected], ['other'])
  t.match(byRerun(followed).filter(({ field }) => field === 'f2p').map(({ work }) => work), ['e0001.verify', 'e0002.verify'])
  t.match(rerun, { differing: 2 + 3, undecided: [] })
  const samples = await settleAgain(store, followed.options, rerun.facts, followed.samples)
  t.equal(samples.find(({ rollout_id: id }) => id === 'e0001.break')!.reward, -0.8, 'all of its attempts solve it now')
})

t.test('a sample is drawn by its seed, in the order of the run', async t => {
  const works = Array.from({ length: 40 }, (_, index) => `e${index}`)
  t.strictSame(drawWorks(works, 5, 1), drawWorks(works, 5, 1))
  t.notSame(drawWorks(works, 5, 1), drawWorks(works, 5, 2))
  t.strictSame(drawWorks(works, 5, 1).length, 5)
  t.strictSame(drawWorks(works, 50, 1), works)
})

t.test('an interrupt ends it', async t => {
  await t.rejects(again({}, AbortSignal.abort()), { name: 'AbortError' })
})
