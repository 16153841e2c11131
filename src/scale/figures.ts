// The figures that a deployment is reckoned with: each with its unit, and where its default is from. `measured` names a command of this
// repository, `paper` is SSR's own, `card` follows from what a GPU's maker says, `assumed` is nobody's: put your own.

import { SparError } from '../errors.ts'

export interface Figure { value: number; unit: string; from: string; min: number; max: number; /** A count. */ whole: boolean }

const figure = (value: number, unit: string, from: string, min = 0, max = 1e9): Figure => ({ value, unit, from, min, max, whole: false })
const count = (value: number, unit: string, from: string, min = 1, max = 1e9): Figure => ({ ...figure(value, unit, from, min, max), whole: true })
const share = (value: number, from: string): Figure => figure(value, 'share', from, 0, 1)

/** By name; the names are those of `--set` and of a file. */
export const figures = {
  nodes: count(100, '', 'assumed', 1, 100_000),
  cores: count(16, 'of a node', 'assumed', 1, 1_024),
  runSlots: count(64, 'of a node', 'measured: one node of 64 is what `npm run load` has', 1, 100),
  verifySlots: count(4, 'of a node', 'a quarter of the cores', 1, 100),
  gradeSlots: count(4, 'of a node', 'a quarter of the cores', 1, 100),
  inFlight: count(600, 'episodes at a time, all runs together', 'a sixth of the sequences that the GPUs hold', 1, 1e6),

  gpus: count(448, 'that sample', 'paper', 1, 1e6),
  gpusPerEngine: count(8, '', 'assumed: 32B in bf16 over 8 of 80 GB', 1, 1_024),
  stepMs: figure(8, 'of an engine with few sequences', 'card: 64 GB of weights at 70 % of 8 × 3.35 TB/s, and the links', 0.01),
  stepMsPerSequence: figure(0.35, 'more for each sequence', 'card: 25,000 tokens × 262 KB of cache at the same rate', 0),
  sequencesMax: count(64, 'of an engine', 'card: 550 GB of cache ÷ 25,000 tokens', 1, 1e6),
  prefillTokensPerSecond: figure(30_000, 'of an engine', 'card: 2 × 32e9 operations a token at 25 % of 8 × 989 TFLOP/s', 1),

  breakerTurns: figure(60, 'mean', 'assumed', 1, 10_000),
  solverTurns: figure(45, 'mean', 'assumed', 1, 10_000),
  turnsSpread: figure(0.6, 'σ of the logarithm', 'assumed', 0, 3),
  turnsMax: count(128, '', 'paper (CWM)', 1, 10_000),
  promptTokens: figure(3_000, '', 'assumed', 0),
  sampledTokens: figure(300, 'of a turn', 'assumed', 1),
  observedTokens: figure(400, 'of a turn', 'assumed', 0),
  commandSeconds: figure(2, 'of a core, each turn', 'assumed', 0),

  group: count(8, 'attempts at a bug', 'paper', 1, 100),
  submits: share(0.9, 'assumed: rollouts of the breaker with an artifact'),
  valid: share(0.5, 'assumed: artifacts that verify'),
  solveRate: share(0.4, 'assumed: mean over bugs'),
  secondOrder: share(0.5, 'assumed: groups whose failed attempt becomes a bug'),

  suiteSeconds: figure(20, 'of a core, the tests once', 'assumed', 0),
  verifyRuns: count(4, 'of the tests', 'assumed: buggy, weakened, two files undone', 1, 100),
  sandboxSeconds: figure(0.32, 'to start and remove one', 'measured: Docker; 0.02 for the process sandbox (bench/sandbox)', 0),
  slotSeconds: figure(0.016, 'between two pieces of work of a slot', 'measured: npm run load, 12 slots', 0),
  nodeCpuMs: figure(2.4, 'of a core, each rollout', 'measured: npm run load', 0),

  trainTokens: figure(16_777_216, 'of a step', 'paper', 1, 1e12),
  trainSeconds: figure(127, 'of a step', 'card: 6 × 32e9 operations a token at 40 % of 64 × 989 TFLOP/s', 0.001),
  publishSeconds: figure(20, 'until turns use new weights', 'assumed', 0),
  solverAge: figure(8, 'policy steps at most', 'paper', 0),
  breakerAge: figure(24, 'policy steps at most', "the trainer's default", 0),
  aheadSteps: figure(2, 'steps of samples that may wait for the trainer', 'the back-pressure of a run, in tokens', 0.01),

  busWrites: figure(42, 'of a rollout', 'measured: docs/cluster-sizing.md, a model with 2 MB of tokens', 0),
  busMegabytes: figure(4, 'of a rollout', 'measured: 15 bytes a token, and as much text', 0),
  busWritesPerSecond: figure(4_000, 'that a server syncs', 'measured: docs/cluster-sizing.md', 1),
  heartbeatSeconds: figure(2, 'between two of a node', 'the limit heartbeatMs', 0.1),
  pullSeconds: figure(5, 'that a free slot waits at a time', 'the limit pullMs', 0.1),

  steps: count(40, 'of the trainer, looked at', '', 1, 100_000),
  warmSteps: count(20, 'before that', '', 0, 100_000),
  seed: count(1, '', '', 0, 2 ** 31 - 1)
} satisfies Record<string, Figure>

export type FigureName = keyof typeof figures
export type Figures = Record<FigureName, number>

/** What a free `run` slot takes: what has waited longest; breaking and solving in turns; what ends an episode first. */
export type Order = 'fifo' | 'turns' | 'solve-first'
/** When the samples of a solved group are the trainer's: with their episode, or at once. */
export type Release = 'episode' | 'group'
export interface Policy { order: Order; release: Release }

export const orders: readonly Order[] = ['fifo', 'turns', 'solve-first']
export const releases: readonly Release[] = ['episode', 'group']

/** Throws OPTION_INVALID naming the figure and the rule. */
export function readFigures (given: Record<string, unknown>): Figures {
  const all = Object.fromEntries(Object.entries(figures).map(([name, { value }]) => [name, value])) as Figures
  for (const [name, value] of Object.entries(given)) {
    const known = Object.hasOwn(figures, name) ? figures[name as FigureName] : undefined
    if (known === undefined) throw new SparError('OPTION_INVALID', `There is no figure ${name}. There are ${Object.keys(figures).join(', ')}`)
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
    if (typeof number !== 'number' || !(number >= known.min && number <= known.max) || (known.whole && !Number.isInteger(number))) throw new SparError('OPTION_INVALID', `Cannot use ${JSON.stringify(value)} as ${name}: it is a ${known.whole ? 'whole ' : ''}number from ${known.min} to ${known.max}`)
    all[name as FigureName] = number
  }
  return all
}
