// Sources that are hard to cut: every language, line ending, and construct that an offset can go wrong on.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export interface Sample { name: string; path: string; text: string }

const require = createRequire(import.meta.url)

const javascript = `#!/usr/bin/env node
'use strict'
const { a: renamed = 1, ...rest } = require('./x')
/** 😀 doc */
class Thing extends Base {
  #hidden = 0
  static { Thing.ready = true }
  constructor (size = 3) { super(); this.size = size }
  get half () { return this.size / 2 }
  async load (name, options = {}) {
    const text = await fetch(\`😀\${name}\`, options)?.body ?? ''
    if (!text || text.length < 2) return null
    for (const line of text.split('\\n')) { if (line === '') continue; this.add(line) }
    try { this.parse(text) } catch { this.#hidden++ } finally { this.done = true }
    switch (name) { case 'a': return 1; case 'b': this.size -= 2; break; default: throw new Error('no 😀' + name) }
    return options.deep ? this.size + 1 : -this.size
  }
}
const pick = (list, at) => list[at % list.length] || list.find(x => x > at && !x.gone)
function outer (items, count) {
  let total = 0
  if (items) {
    total += count
  } else if (count > 3) {
    total = 1
  } else {
    console.log('nothing')
  }
  while (count-- > 0) total = total * 2 - 1
  label: for (;;) { if (total) break label; else continue }
  return total
}
module.exports = { Thing, pick, outer }
return
`

const tsx = `import type { Props } from './props.ts'
@decorate({ deep: true })
export class View<T extends object> {
  declare kept: string
  constructor (private readonly items: T[], @inject() public size = 2) {}
  abstract?: number
  @bound render (this: View<T>, { open = false, ...rest }: Props): JSX.Element {
    if (!open && (this.items as unknown[]).length === 0) return <></>
    return <ul {...rest} title={open ? 'open' : 'shut'}>{this.items!.map((item, index) => index > 0 && <li key={index}>{String(item)}</li>)}</ul>
  }
}
export default function total<T> (items: readonly T[], weigh: (item: T) => number = () => 1): number {
  let sum = 0
  for (const item of items) sum += weigh(item)
  return sum satisfies number
}
declare function later (a: string): void
`

const python = `"""Module 😀."""
from __future__ import annotations
import os, sys as system


class Shape(Base, metaclass=Meta):
    """Doc."""
    sides: int = 3

    def __init__(self, name: str = "😀", *args, key=None, **kwargs) -> None:
        self.name = name
        self.key = key or {}

    @property
    def area(self):
        return self.width * self.height

    async def load(self, path, retries=3):
        """Reads."""
        async with open_file(path) as handle:
            data = await handle.read()
        while retries > 0 and not data:
            retries -= 1
            if (found := self.find(path)) is not None:
                return found
            elif retries == 1:
                continue
            else:
                self.log(path, level=2)
        try:
            total = sum(x for x in data if x > 0)
        except (ValueError, TypeError) as error:
            raise RuntimeError("bad 😀") from error
        finally:
            self.done = True
        match data:
            case []:
                return None
            case [first, *rest] if first < 3:
                total += first
            case _:
                total = -1
        return total if total != 0 else self.sides


def helper(a, b=1, *, c=2):
    result = []
    for item in a:
        if item not in result: result.append(item); b += 1
    return lambda x: x and result[b % 2] or c
`

const go = `package shapes

import (
	"errors"
	"fmt"
)

// Number 😀.
type Number interface{ ~int | ~float64 }

func Sum[T Number](items []T, from int) (total T, err error) {
	if from < 0 || from > len(items) {
		return 0, errors.New("range 😀")
	}
	for i, item := range items[from:] {
		if i%2 == 0 && !skip(i) {
			continue
		}
		total += item
	}
	return total, nil
}

type Box struct{ width, height int }

func (b *Box) Grow(by int) bool {
	if b == nil {
		return false
	} else if by > 3 {
		b.width++
	} else {
		b.width = b.width*by - 1
	}
	switch by {
	case 1:
		b.height = 2
	case 2:
		b.height--
	default:
		fmt.Println("grown")
	}
	return true
}

func skip(i int) bool { return i == -1 }
`

const crlf = (text: string): string => text.replaceAll('\n', '\r\n')
const tabs = (text: string): string => text.replace(/^( {2})+/gm, spaces => '\t'.repeat(spaces.length / 2))

export const crafted: Sample[] = [
  { name: 'JavaScript', path: 'a.js', text: javascript },
  { name: 'JavaScript with CRLF and tabs', path: 'a.cjs', text: crlf(tabs(javascript)) },
  { name: 'TSX with decorators', path: 'a.tsx', text: tsx },
  { name: 'Python', path: 'a.py', text: python },
  { name: 'Python with CRLF', path: 'b.py', text: crlf(python) },
  { name: 'Go with generics', path: 'a.go', text: go },
  { name: 'JavaScript on one line', path: 'one.js', text: 'function f(a,b){if(!a)return-1;var c=a&&b||{};for(;c.n<3;c.n++)g(c,b);return!c?typeof a:void 0}' }
]

const file = (name: string, path: string): Sample => ({ name, path, text: readFileSync(path, 'utf8') })

export const published: Sample[] = [
  file('undici util.js', join(dirname(require.resolve('undici')), 'lib/core/util.js')),
  file('piscina index.js', join(dirname(require.resolve('piscina')), 'index.js'))
]
