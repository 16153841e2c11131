// What may be done to a bus, one step after the other. Numbers pick among what there is when the step is taken (a connection, a
// message, a follower), so that any sequence makes sense, and so does any part of it.

import fc from 'fast-check'

export const connections = 3
export const arenas = ['a', 'b'] as const
export const keys = ['a', 'a.b', 'a.bc', 'a.b.c', 'b'] as const
const prefixes = ['', 'a', 'a.b', 'c'] as const
/** Of readers that keep their places, with what they read. */
export const readers = { all: '', some: 'a' } as const

/** What no bus takes, and what it says to it. */
export const refusals = ['addLarge', 'createLarge', 'putLarge', 'updateLarge', 'signalLarge', 'addKey', 'addRun', 'pullArena', 'createKey', 'putKey', 'updateKey', 'followPrefix', 'watchPrefix', 'objectKey', 'signalTopic', 'placeName', 'purgeRun'] as const

type Named<Name extends string, Shape> = { [One in Name]: { do: One; by: number } & Shape }[Name]
interface Weighted<Value> { weight: number; arbitrary: fc.Arbitrary<Value> }

type Parts<Shape> = { [Key in keyof Shape]: fc.Arbitrary<Shape[Key]> }

const steps = <Name extends string, Shape extends object = object>(weight: number, names: readonly Name[], shape = {} as Parts<Shape>): Weighted<Named<Name, Shape>> =>
  ({ weight, arbitrary: fc.record({ do: fc.constantFrom(...names), by: fc.nat(connections - 1), ...shape }) as unknown as fc.Arbitrary<Named<Name, Shape>> })

const which = fc.nat(3)
const key = fc.constantFrom(...keys)
const arena = fc.constantFrom(...arenas)
const prefix = fc.constantFrom(...prefixes)
const reader = fc.constantFrom(...Object.keys(readers) as (keyof typeof readers)[])
const bucket = fc.constantFrom('runs' as const, 'nodes' as const)

const queue = [
  steps(8, ['add'], { arena, key: fc.constantFrom('1', '2', '3', '4.x'), run: fc.constantFrom('r', 's'), size: fc.constantFrom(0, 0, 0, 1, 40_000) }),
  steps(6, ['pull', 'ask'], { arena }),
  steps(4, ['ack', 'working'], { which }),
  steps(3, ['again'], { which, delay: fc.constantFrom('now' as const, 'soon' as const, 'later' as const) }),
  steps(1, ['purge'], { run: fc.constantFrom('r', 's') }),
  steps(2, ['depth', 'subjects'], { arena }),
  steps(1, ['giveUp'], { takers: fc.integer({ min: 1, max: 3 }), adder: fc.nat(connections - 1), isFirst: fc.boolean() })
]
const values = [
  steps(5, ['create', 'removeEntry', 'getEntry'], { key }),
  steps(5, ['put', 'remove', 'get'], { bucket, key }),
  steps(2, ['update'], { bucket, key, over: fc.constantFrom('nothing' as const, 'latest' as const, 'older' as const) })
]
const followers = [
  steps(2, ['follow'], { prefix, isAfter: fc.boolean(), which }),
  steps(2, ['watch'], { bucket, prefix, isRacing: fc.boolean() }),
  steps(1, ['listen'], { prefix }),
  steps(2, ['signal'], { key }),
  steps(1, ['leave'], { which })
]
const others = [
  steps(2, ['attach', 'take', 'place'], { reader, most: fc.integer({ min: 1, max: 3 }) }),
  steps(2, ['acknowledge'], { which }),
  steps(1, ['putObject', 'getObject', 'removeObject'], { key, size: fc.constantFrom(0, 10, 300_000) }),
  steps(1, ['refuse'], { what: fc.constantFrom(...refusals) }),
  steps(1, ['close'])
]
/** Time passes: what was taken before the last two of them has run out. */
const time = [steps(2, ['pass'])]

type ValueOf<Part> = Part extends Weighted<infer Value> ? Value : never
export type Step = ValueOf<(typeof queue | typeof values | typeof followers | typeof others | typeof time)[number]>
export type StepOf<Name extends Step['do']> = Extract<Step, { do: Name }>

/** Whole sequences, and such as dwell on one thing. */
const of = (...parts: Weighted<Step>[]): fc.Arbitrary<Step[]> => fc.array(fc.oneof(...parts), { minLength: 5, maxLength: 40 })
export const sequence: fc.Arbitrary<Step[]> = fc.oneof(
  of(...queue, ...values, ...followers, ...others, ...time),
  of(...queue, ...time),
  of(...values, ...followers, steps(1, ['close', 'pass'])),
  of(...values.slice(0, 1), ...others.slice(0, 2), steps(1, ['close']))
)
