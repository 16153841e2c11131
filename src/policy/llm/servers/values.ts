// Reading what a server sent: every value is looked at before it is believed, and a wrong one is SERVER_PROTOCOL with its name.

import { fault } from './faults.ts'

export type Fields = Record<string, unknown>

const wrong = (name: string, should: string): Error => fault('SERVER_PROTOCOL', 'read the answer', `"${name}" is ${should}`)

export function fields (value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(name, 'no object')
  return value as Fields
}

export function list (value: unknown, name: string): unknown[] {
  if (!Array.isArray(value)) throw wrong(name, 'no list')
  return value
}

export function text (value: unknown, name: string): string {
  if (typeof value !== 'string') throw wrong(name, 'no text')
  return value
}

/** A count that a server may leave out. */
export const count = (value: unknown): number | null => typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : null

export function tokenIds (value: unknown, name: string): Int32Array {
  const items = list(value, name)
  const ids = new Int32Array(items.length)
  for (let index = 0; index < items.length; index++) {
    const id = items[index]
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > 0x7FFFFFFF) throw wrong(name, 'no list of token ids')
    ids[index] = id
  }
  return ids
}

/** One natural logarithm for each completion token. A fourth-decimal overshoot above 0 is rounding; more is no logarithm. */
export function logprobs (items: unknown[], tokens: number, name: string): Float32Array {
  if (items.length !== tokens) throw wrong(name, `a list of ${items.length} for ${tokens} completion tokens`)
  const values = new Float32Array(tokens)
  for (let index = 0; index < tokens; index++) {
    const value = items[index]
    if (typeof value !== 'number' || Number.isNaN(value) || value > 1e-3) throw wrong(name, 'no list of logarithms of probabilities')
    values[index] = value
  }
  return values
}
