// The verifier's own stages over runs that are drawn: what it makes of one flaky test, thousands of times. Where a test fails
// by chance (probability p, each run by itself), and what that should come to, is a case; its formula stands beside it.

import { createBug } from '../src/artifact/index.ts'
import type { Arena, Bug, TestMap, Verdict } from '../src/domain.ts'
import type { Random } from '../src/ports.ts'
import type { TreeRun, VerifyRequest } from '../src/verify/index.ts'
import { planBug, type Plan } from '../src/verify/plan.ts'
import { judgeRuns } from './judge.ts'

const steady = Array.from({ length: 10 }, (_, index) => `test/a.js::steady ${index}`)
const broken = 'test/a.js::broken'
const flaky = 'test/a.js::flaky'

/** `isHonest`: one test fails with the bug each time, beside the flaky one. */
export interface FlakyCase {
  name: string
  what: string
  isHonest: boolean
  /** Probability that the flaky test fails. */
  onClean: (p: number) => number
  onBuggy: (p: number) => number
  /** What is counted of a verdict, and how often it should be met with n repeats. */
  counts: 'accepted' | 'rejected' | 'kept'
  formula: (p: number, n: number) => number
}

const same = (p: number): number => p
const never = (): number => 0

export const flakyCases: FlakyCase[] = [
  { name: 'fake', what: 'a bug that fails by chance is taken', isHonest: false, onClean: never, onBuggy: same, counts: 'accepted', formula: (p, n) => p ** n },
  { name: 'blamed', what: 'a test that is flaky without the bug too is taken for its failure', isHonest: false, onClean: same, onBuggy: same, counts: 'accepted', formula: (p, n) => (p * (1 - p)) ** n },
  { name: 'refused', what: 'a good bug is rejected for a flaky test beside it', isHonest: true, onClean: same, onBuggy: same, counts: 'rejected', formula: (p, n) => p ** n },
  { name: 'kept', what: 'a flaky test stays among those that a repair must pass', isHonest: true, onClean: same, onBuggy: same, counts: 'kept', formula: (p, n) => (1 - p) ** (2 * n) }
]

const line = (from: string, to: string, path: string): string => `diff --git a/${path} b/${path}\n--- a/${path}\n+++ b/${path}\n@@ -1 +1 @@\n-${from}\n+${to}\n`
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const bug: Bug = createBug({
  testScript: bytes('true\n'), testFiles: bytes('test/a.js\n'), testParser: bytes('\n'), parserName: 'test_parser.js',
  bugInject: bytes(line('one', 'two', 'src/a.js')), testWeaken: bytes(line('one', 'two', 'test/a.js')), predPatch: null
})
const arena = { id: 'drawn', runner: 'custom', testFiles: [] as Arena['testFiles'] } as Arena
const params = { minPassing: 3, minFiles: 1, minFailing: 1 }
const plan: Plan = planBug(bug, arena, params)
const request: VerifyRequest = { bug, arena, params, mode: 'strict', run: 'drawn' }

const runOf = (results: TestMap): TreeRun =>
  ({ command: '', exitCode: Object.values(results).includes('failed') ? 1 : 0, killed: null, durationMs: 0, logBytes: 0, logSha256: '', results, skipped: [], fault: null, opinion: null })

/** One verification of a case. */
export async function drawVerdict (drawn: FlakyCase, p: number, repeats: number, random: Random): Promise<Verdict> {
  const { isHonest, onClean, onBuggy } = drawn
  const suite = (failsWith: number, isBroken: boolean, hides: boolean): TreeRun => {
    const tests = Object.fromEntries(steady.map(id => [id, 'passed'])) as TestMap
    if (isHonest && !hides) tests[broken] = isBroken ? 'failed' : 'passed'
    // The weakening takes the failing test away: the honest one, or else the flaky one.
    if (isHonest || !hides) tests[flaky] = random.next() < failsWith ? 'failed' : 'passed'
    return runOf(tests)
  }
  const once = new Map<string, TreeRun>()
  const run = (key: string, make: () => TreeRun): TreeRun => {
    const known = once.get(key) ?? make()
    once.set(key, known)
    return known
  }
  return await judgeRuns({
    clean: async repeat => run(`clean ${repeat}`, () => suite(onClean(p), false, false)),
    buggy: async repeat => run(`buggy ${repeat}`, () => suite(onBuggy(p), true, false)),
    weakened: async () => suite(onBuggy(p), true, true),
    restored: async () => suite(onClean(p), false, false)
  }, { plan, request, repeats })
}

const isMet = ({ counts }: FlakyCase, { valid, p2p }: Verdict): boolean => counts === 'accepted' ? valid : counts === 'rejected' ? !valid : valid && p2p.includes(flaky)

/** The share of `draws` verifications that count. */
export async function measure (drawn: FlakyCase, p: number, repeats: number, draws: number, random: Random): Promise<number> {
  let met = 0
  for (let draw = 0; draw < draws; draw++) if (isMet(drawn, await drawVerdict(drawn, p, repeats, random))) met++
  return met / draws
}

/** The largest share that a case comes to, whatever p is: of 'blamed' at p = 1/2. */
export const worst = ({ formula }: FlakyCase, repeats: number, ps: readonly number[]): number => Math.max(...ps.map(p => formula(p, repeats)))
