// What an episode is, drawn from the run's seed and the episode's number alone: the order in which episodes are played
// changes nothing.

import { strategies, type BugParams, type Strategy } from '../domain.ts'
import { createRandom, deriveSeed } from '../random.ts'
import type { RunOptions } from './options.ts'

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

/** Rounds by episode, and how many episodes of a strategy there were: drawn once for a run, since one asks for all before it. */
interface Rounds { names: string[]; counts: Map<string, number> }
const roundsOf = new WeakMap<RunOptions, Rounds>()

/**
 * The breaker's group: as many episodes of one arena and strategy as the solver's group has members, in the order of their numbers.
 * A run that ends earlier leaves its last round short.
 */
export function roundOf (options: RunOptions, number: number): string {
  const { names, counts } = roundsOf.get(options) ?? { names: [], counts: new Map<string, number>() }
  roundsOf.set(options, { names, counts })
  while (names.length < number) {
    const next = names.length + 1
    const group = `${arenaPrefix(options, next)}${drawEpisode(options, next).strategy}`
    const count = counts.get(group) ?? 0
    counts.set(group, count + 1)
    names.push(`${group}.${Math.floor(count / options.group) + 1}`)
  }
  return names[number - 1]!
}
