// Seeded chance. splitmix32 for the stream, FNV-1a to derive a seed from a label: small, fast and the same everywhere.

import type { Random } from './ports.ts'

/** 32-bit FNV-1a over the label's UTF-16 units, mixed with the seed. */
export function deriveSeed (seed: number, label: string): number {
  let hash = (2166136261 ^ seed) >>> 0
  for (let index = 0; index < label.length; index++) hash = Math.imul(hash ^ label.charCodeAt(index), 16777619) >>> 0
  return mix(hash)
}

function mix (value: number): number {
  let x = (value + 0x9E3779B9) | 0
  x = Math.imul(x ^ (x >>> 16), 0x21F0AAAD)
  x = Math.imul(x ^ (x >>> 15), 0x735A2D97)
  return (x ^ (x >>> 15)) >>> 0
}

export function createRandom (seed: number): Random {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x9E3779B9) | 0
    return mix(state) / 2 ** 32
  }
  const int = (below: number): number => Math.floor(next() * below)
  return {
    next,
    int,
    pick: items => {
      if (items.length === 0) throw new Error('Cannot pick from an empty list')
      return items[int(items.length)]!
    },
    shuffle: items => {
      const copy = [...items]
      for (let index = copy.length - 1; index > 0; index--) {
        const other = int(index + 1)
        ;[copy[index], copy[other]] = [copy[other]!, copy[index]!]
      }
      return copy
    },
    fork: label => createRandom(deriveSeed(seed, label))
  }
}
