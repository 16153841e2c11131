// What an episode is, drawn from the run's seed and the episode's number alone: the order in which episodes are played
// changes nothing.

import { strategies, type BugParams, type Strategy } from '../domain.ts'
import { createRandom, deriveSeed } from '../random.ts'
import { untilStopped, type RunOptions } from './options.ts'

export interface Draw { number: number; /** Place of its arena in the run, from 0. */ arena: number; episodeId: string; strategy: Strategy; params: BugParams; seed: number }

export const episodeIdOf = (number: number): string => `e${String(number).padStart(4, '0')}`

/** Episodes take the arenas in turn, so that none waits for another. */
export const arenaOf = ({ arenas }: RunOptions, number: number): number => (number - 1) % arenas

/** Number of an episode among those of its arena, from 1. */
const turnOf = ({ arenas }: RunOptions, number: number): number => Math.floor((number - 1) / arenas) + 1

/** The episode that a piece of work belongs to: `e0012.solve.1.0` is of number 12. */
export const numberOfWork = (id: string): number => Number(/^e(\d+)/.exec(id)![1])

export function drawEpisode (options: RunOptions, number: number): Draw {
  const seed = deriveSeed(options.seed, `episode:${number}`)
  const random = createRandom(seed)
  const { min, max } = options.minFiles
  return {
    number,
    arena: arenaOf(options, number),
    episodeId: episodeIdOf(number),
    strategy: drawStrategy(options, number, random.next()),
    params: { minPassing: options.minPassing, minFiles: min + random.int(max - min + 1), minFailing: options.minFailing },
    seed
  }
}

/**
 * A draw by weight, stratified: each block of episodes as long as there are strategies with a weight holds them in nearly
 * their shares, so that a short run meets every strategy too.
 */
function drawStrategy (options: RunOptions, number: number, chance: number): Strategy {
  const weighted = strategies.filter(strategy => options.strategy[strategy] > 0)
  const total = weighted.reduce((sum, strategy) => sum + options.strategy[strategy], 0)
  const block = weighted.length
  const place = turnOf(options, number) - 1
  const shift = createRandom(deriveSeed(options.seed, `block:${arenaPrefix(options, number)}${Math.floor(place / block)}`)).int(block)
  let point = (((place + shift) % block + chance) / block) * total
  for (const strategy of weighted) {
    point -= options.strategy[strategy]
    if (point < 0) return strategy
  }
  return weighted.at(-1)!
}

/** Names what belongs to one arena of several. */
const arenaPrefix = (options: RunOptions, number: number): string => options.arenas === 1 ? '' : `a${arenaOf(options, number)}.`

/** The seed of a rollout, by its id. */
export const rolloutSeed = (options: RunOptions, rolloutId: string): number => deriveSeed(options.seed, `rollout:${rolloutId}`)

/** Rounds by episode, how many episodes of a strategy there were, and how many a round has so far: drawn once for a run, since one asks for all before it. */
interface Rounds { names: string[]; counts: Map<string, number>; sizes: Map<string, number> }
const roundsOf = new WeakMap<RunOptions, Rounds>()

/**
 * The breaker's group: as many episodes of one arena and strategy as the solver's group has members, in the order of their numbers.
 * A run that ends earlier leaves its last round short.
 */
export function roundOf (options: RunOptions, number: number): string {
  const rounds = roundsKnown(options)
  while (rounds.names.length < number) drawRound(options, rounds)
  return rounds.names[number - 1]!
}

/** How many episodes the round of this one has. What plays until it is stopped has no last round. */
export function roundSizeOf (options: RunOptions, number: number): number {
  if (options.episodes >= untilStopped) return options.group
  const round = roundOf(options, number)
  const rounds = roundsKnown(options)
  while (rounds.sizes.get(round)! < options.group && rounds.names.length < options.episodes) drawRound(options, rounds)
  return rounds.sizes.get(round)!
}

function roundsKnown (options: RunOptions): Rounds {
  const rounds = roundsOf.get(options) ?? { names: [], counts: new Map<string, number>(), sizes: new Map<string, number>() }
  roundsOf.set(options, rounds)
  return rounds
}

/** The round of the next episode. */
function drawRound (options: RunOptions, { names, counts, sizes }: Rounds): void {
  const next = names.length + 1
  const group = `${arenaPrefix(options, next)}${drawEpisode(options, next).strategy}`
  const count = counts.get(group) ?? 0
  const round = `${group}.${Math.floor(count / options.group) + 1}`
  counts.set(group, count + 1)
  sizes.set(round, (sizes.get(round) ?? 0) + 1)
  names.push(round)
}
