// Values of the protocol for tests of the page: a run on three nodes in the middle of its life, and texts that mean harm.

import type { ActorRow, ActorView, AttemptView, ClusterView, EpisodeRow, EpisodeView, Hello, NodeRow, RolloutRow, RolloutView, RunRow, Step, Text, TokensView, TrainingView, TurnView } from '../../src/inspect/protocol.ts'
import { topics } from '../../src/inspect/protocol.ts'

export const now = Date.UTC(2026, 0, 2, 3, 4, 5)
export const hello: Hello = { type: 'hello', protocol: 1, spar: '0.1.0', source: 'cluster', mayAct: true, now, everyMs: 100 }

export const text = (content: string, cut = false): Text => ({ text: content, bytes: Buffer.byteLength(content), cut })

/** Markup, a script, escapes of terminals, characters that reorder text, and a line of 60,000 characters. */
export const hostile = [
  '<img src=x onerror="document.title=\'owned\'">', '<script>document.title=\'owned\'</script>', '<svg onload=alert(1)>', '</pre></script><style>*{display:none}</style>',
  'javascript:alert(1)', '\u001b]0;owned\u0007\u001b[31mred\u001b[0m \u001b[2J\u001b[999;999H', '\u202egnp.exe', '{{constructor.constructor("alert(1)")()}}', 'x'.repeat(60_000)
].join('\n')

const ledger = { dispatched: 120, settled: 103, cancelled: 1, quarantined: 1, open: 15 }
export const runRow: RunRow = { run: 'demo-1', state: 'running', reason: '', targets: ['./project'], episodes: { settled: 7, total: 20 }, ledger, policies: { breaker: 'procedural', solver: 'procedural' }, group: 4, seed: 1, startedAt: now - 482_000, wait: null, acts: ['pause', 'cancel'] }
const node = (name: string, state: string): NodeRow => ({
  node: name, host: 'box', pid: 4711, version: '0.1.0', state, labels: { rack: 'a' }, slots: [{ kind: 'run', total: 8, busy: 6, done: 71 }, { kind: 'verify', total: 2, busy: 1, done: 9 }], arenas: ['0123456789abcdef'],
  refusals: [], delivered: { done: 40 }, actors: 31, startedAt: now - 500_000, seenAt: now - 1000
})
export const cluster: ClusterView = {
  at: now, nodes: [node('node-a', 'serving'), node('node-b', 'draining'), node('node-c', 'silent')], queues: [{ kind: 'rollout', waiting: 14, taken: 6 }], ledger, throughput: { windowMs: 300_000, episodes: 4, rollouts: 42, works: 64 },
  policies: [{ model: 'code-7b', version: '12', at: now - 95_000 }], faults: [{ code: 'SANDBOX_LOST', count: 2, reason: 'the engine does not answer', work: 'e0003.solve.1.2', at: now - 300_000 }], runs: [runRow], runsLeftOut: 0
}

export const actor = (key: string, parent: string | null, machine: string, id: string, state: string, more: Partial<ActorRow> = {}): ActorRow => ({
  key, parent, node: key.split('/')[0]!, machine, id, run: 'demo-1', episode: null, rollout: null, work: null, state, tags: [], status: 'active', sinceAt: now - 12_000, startedAt: now - 90_000, endedAt: null,
  transitions: 4, restarts: 0, failures: 0, reason: '', acts: [], ...more
})
export const actors: ActorRow[] = [
  actor('node-a/1', null, 'node', 'node-a', 'attending.serving', { tags: ['ready'] }), actor('node-a/2', 'node-a/1', 'run', 'demo-1', 'playing'),
  actor('node-a/3', 'node-a/2', 'episode', 'e0008', 'solving', { episode: 'e0008', tags: ['solving'] }),
  actor('node-a/4', 'node-a/3', 'solver', 'e0008.solve.1.0', 'asking', { episode: 'e0008', rollout: 'e0008.solve.1.0', tags: ['usesPolicy'], restarts: 1, acts: ['rollout.cancel'] }),
  actor('node-a/5', 'node-a/3', 'solver', 'e0008.solve.1.1', 'done', { status: 'failed', endedAt: now, failures: 1, reason: 'it broke' })
]

const past: [event: string | null, state: string][] = [[null, 'opening'], ['xstate.done.actor.open', 'asking'], ['xstate.done.actor.ask', 'acting'], ['xstate.done.actor.act', 'asking']]
export const steps: Step[] = past.map(([event, state], index) => ({ n: index + 1, at: now - 60_000 + index * 3000, event, state, tags: [], status: 'active', context: text(JSON.stringify({ turns: index, reason: hostile.slice(0, 200) }, null, 2)) }))
export const actorView: ActorView = {
  row: actors[3]!, steps, stepsLeftOut: 0, events: steps.slice(1).map(({ n, at, event }) => ({ n, at, event: event!, from: 'ask', data: text(JSON.stringify({ output: { reason: hostile.slice(0, 200) } })) })), eventsLeftOut: 0, children: [{ id: 'ask', status: 'active' }]
}

const endings: Record<number, Pick<EpisodeRow, 'ending' | 'bugs' | 'breakerReward'>> = {
  1: { ending: { kind: 'played', failed: null, outcome: null, reason: '' }, bugs: [{ bug: 'bug-0123456789abcdef', order: 1, group: 4, scored: 4, solved: 1 }], breakerReward: 0.55 },
  2: { ending: { kind: 'rejected', failed: 'inverse', outcome: null, reason: 'a.js is not needed' }, bugs: [], breakerReward: -1 },
  3: { ending: { kind: 'fault', failed: null, outcome: 'policy_fault', reason: hostile.slice(0, 300) }, bugs: [], breakerReward: -1 }
}
export const episodes: EpisodeRow[] = Array.from({ length: 8 }, (_, index) => ({
  run: 'demo-1', episode: `e000${index + 1}`, number: index + 1, strategy: 'removal', state: index < 3 ? 'done' : 'solving', ending: null, bugs: [], breakerReward: null, node: 'node-a', ...endings[index + 1]
}))

export const rolloutRow = (rollout: string, role: RolloutRow['role'], value: number | null): RolloutRow =>
  ({ rollout, role, outcome: value === null ? 'playing' : 'scored', reason: '', reward: value, advantage: value, policy: { name: 'procedural', version: '1' }, turns: 5, delivery: 1, hasRecord: true })

export const patch = ['diff --git a/a.js b/a.js', 'index 1..2 100644', '--- a/a.js', '+++ b/a.js', '@@ -1,4 +1,3 @@ function add', ' const a = 1', '-  return a + b', '-  // <script>alert(1)</script>', '+  return a - b', ' }', ''].join('\n')
const attempts: AttemptView[] = [1, -1, null].map((value, member) => ({
  rollout: rolloutRow(`e0001.solve.1.${member}`, 'solver', value), member, solved: value === null ? null : value > 0, patch: value === null ? null : text(member === 0 ? patch : hostile),
  grade: value === null ? null : { outcome: value > 0 ? 'solved' : 'failing', reason: hostile.slice(0, 400), missing: [], failing: value > 0 ? [] : [hostile.slice(0, 100)], evidence: text('{"runs":[]}') }
}))
const checks = ['files', 'parser', 'script', 'scope', 'bug', 'weaken', 'inverse', 'determinism'].map(name => ({ name, verdict: 'pass' as const, reason: hostile.slice(0, 120), evidence: text(JSON.stringify({ runs: [{ exitCode: 0, log: hostile.slice(0, 500) }] })) }))
export const episode: EpisodeView = {
  ...episodes[0]!, params: { minPassing: 1, minFiles: 1, minFailing: 1 }, seed: 77, round: 'removal.1', arena: { id: '0123456789abcdef', target: './project', commit: 'abcdef0123456789', runner: 'pytest' },
  breaker: rolloutRow('e0001.break', 'breaker', 0.55), reward: { reward: 0.55, valid: true, scored: 4, solved: 1, alpha: 0.8, scoredMin: 2, why: '1 − (1 + 0.8) · 1/4' },
  lineage: [{ bug: 'bug-0123456789abcdef', order: 1, parent: null, madeOf: null, files: [{ name: 'bug_inject.diff', kind: 'diff', content: text(patch) }, { name: 'test_script.sh', kind: 'script', content: text(hostile) }], attempts },
    { bug: 'bug-fedcba9876543210', order: 2, parent: 'bug-0123456789abcdef', madeOf: 'e0001.solve.1.1', files: [], attempts: [] }],
  verdict: { decided: true, valid: true, failed: null, mode: 'strict', checks, files: ['a.js'], f2p: [hostile.slice(0, 200)], p2p: ['t::b'], quarantined: [], counts: { files: 1, f2p: 1, p2p: 1, quarantined: 0 }, inverse: { restored: [{ files: ['a.js'], flips: ['t::a'] }], idle: ['b.js'] } }
}

const turns: TurnView[] = Array.from({ length: 3 }, (_, index) => ({ n: index + 1, said: text(hostile), call: { tool: 'bash', shown: text(hostile), path: null }, observation: text(hostile, true), exitCode: index, timedOut: false, truncatedBytes: 99, ms: 712 }))
export const rollout: RolloutView = {
  run: 'demo-1', episode: 'e0001', row: rolloutRow('e0001.break', 'breaker', 0.55), isLive: false, bug: 'bug-0123456789abcdef', order: 1, budget: { turns: { used: 3, max: 40 }, tokens: { used: 1800, max: 60_000 } }, startedAt: now - 90_000, endedAt: now,
  sandbox: { id: 'sb-1', kind: 'process', isolation: 'bubblewrap' }, versions: { start: '12', end: '13' }, untrainable: null, page: 0, pages: 1, turnsTotal: 3, turns,
  calls: [{ n: 1, id: 'c1', model: 'code-7b', version: '12', endpoint: 'http://127.0.0.1:8000', promptTokens: 900, completionTokens: 40, cachedTokens: null, finishReason: 'stop', ms: 812, segment: 0, temperature: 1, error: null }],
  segments: [{ n: 0, tokens: 400, drawn: 100, logprob: -0.31, versions: [{ version: '12', tokens: 250 }, { version: '13', tokens: 150 }], breakReason: null }], findings: [hostile.slice(0, 200)]
}
const mask = Array.from({ length: 400 }, (_, index) => Number(index % 4 === 3))
export const tokens: TokensView = { segment: 0, page: 0, pages: 1, from: 0, total: 400, ids: mask.map((_, index) => index * 7), mask, logprobs: mask.map((drawn, index) => drawn === 1 ? -(index % 60) / 10 : 0), versions: [{ version: '12', from: 0, tokens: 250 }, { version: '13', from: 250, tokens: 150 }] }
export const training: TrainingView = {
  run: 'demo-1', group: 4, alpha: 0.8, points: [0, 1, 2, 3].map(index => ({ n: index + 1, episodes: 1, at: null, validity: index === 2 ? 0 : 1, solveRate: index === 2 ? null : index / 4, breakerReward: 0.5, solverReward: -0.5, staleness: index, dropped: {} })),
  histogram: { bins: 4, counts: [1, 2, 0, 1] }, optimum: { peak: 0.3, curve: [{ p: 0, reward: -0.8 }, { p: 0.3, reward: 0.4 }, { p: 1, reward: -0.8 }] }, dropped: { infra_fault: 2 }, rejected: { inverse: 1 }, versions: ['12', '13']
}

export const values: Record<string, unknown> = {
  [topics.cluster]: cluster, [topics.runs]: [runRow], [topics.actors]: { rows: actors, leftOut: 0 }, [topics.actor('node-a/4')]: actorView, [topics.episodes('demo-1')]: { rows: episodes, leftOut: 0 },
  [topics.episode('demo-1', 'e0001')]: episode, [topics.rollout('demo-1', 'e0001.break')]: rollout, [topics.tokens('demo-1', 'e0001.break', 0)]: tokens, [topics.training('demo-1')]: training
}
