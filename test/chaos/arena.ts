// The small repository that chaos plays on: three modules, a node:test file for each, and a history in which every commit adds
// something that a test wants. Commits carry fixed dates, so that it is the same repository wherever it is made.

import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

interface Part { code: string; checks: string }
interface Module { name: string; parts: Part[] }

const modules: Module[] = [
  { name: 'text', parts: [
    { code: 'exports.upper = text => text.toUpperCase()\n', checks: "equal(lib.upper('a'), 'A')" },
    { code: 'exports.repeat = (text, times) => {\n  let all = \'\'\n  for (let index = 0; index < times; index++) all += text\n  return all\n}\n', checks: "equal(lib.repeat('ab', 2), 'abab')\nequal(lib.repeat('x', 0), '')" },
    { code: 'exports.trim = text => {\n  let from = 0\n  while (text[from] === \' \') from++\n  return text.slice(from)\n}\n', checks: "equal(lib.trim('  a'), 'a')\nequal(lib.trim('a'), 'a')" },
    { code: 'exports.words = text => {\n  if (text === \'\') return []\n  return text.split(\' \').filter(word => word.length > 0)\n}\n', checks: "equal(lib.words('a b').length, 2)\nequal(lib.words('').length, 0)\nequal(lib.words(' a ').length, 1)" }
  ] },
  { name: 'list', parts: [
    { code: 'exports.sum = list => {\n  let total = 0\n  for (const item of list) total += item\n  return total\n}\n', checks: 'equal(lib.sum([1, 2]), 3)\nequal(lib.sum([]), 0)' },
    { code: 'exports.largest = list => {\n  let best = list[0]\n  for (const item of list) if (item > best) best = item\n  return best\n}\n', checks: 'equal(lib.largest([1, 3, 2]), 3)\nequal(lib.largest([-1]), -1)' },
    { code: 'exports.unique = list => {\n  const seen = []\n  for (const item of list) {\n    if (!seen.includes(item)) seen.push(item)\n  }\n  return seen\n}\n', checks: "equal(lib.unique([1, 1, 2]).join(), '1,2')\nequal(lib.unique([]).length, 0)" }
  ] },
  { name: 'number', parts: [
    { code: 'exports.clamp = (value, min, max) => {\n  if (value < min) return min\n  if (value > max) return max\n  return value\n}\n', checks: 'equal(lib.clamp(5, 1, 3), 3)\nequal(lib.clamp(0, 1, 3), 1)\nequal(lib.clamp(2, 1, 3), 2)' },
    { code: 'exports.isEven = value => value % 2 === 0\n', checks: 'equal(lib.isEven(2), true)\nequal(lib.isEven(3), false)' },
    { code: 'exports.square = value => value * value\n', checks: 'equal(lib.square(3), 9)\nequal(lib.square(0), 0)' },
    { code: 'exports.power = (base, exponent) => {\n  let result = 1\n  for (let index = 0; index < exponent; index++) result *= base\n  return result\n}\n', checks: 'equal(lib.power(2, 3), 8)\nequal(lib.power(5, 0), 1)' }
  ] }
]

const rounds = Math.max(...modules.map(({ parts }) => parts.length))
const firstCommit = Date.UTC(2020, 0, 1) / 1000

/** Makes the repository in a new folder: one commit for every part of a module. */
export function makeRepository (dir: string): void {
  mkdirSync(dir, { recursive: true })
  git(dir, 0, 'init', '-q', '-b', 'main')
  write(dir, 'package.json', '{ "name": "small", "version": "1.0.0", "scripts": { "test": "node --test" } }\n')
  let made = 0
  for (let round = 1; round <= rounds; round++) {
    for (const module of modules.filter(({ parts }) => parts.length >= round)) {
      const parts = module.parts.slice(0, round)
      write(dir, `lib/${module.name}.js`, `'use strict'\n\n${parts.map(({ code }) => code).join('\n')}`)
      write(dir, `test/${module.name}.test.js`, testsOf(module.name, parts))
      git(dir, made, 'add', '-A')
      git(dir, made++, 'commit', '-q', '-m', `${module.name}: part ${round}`)
    }
  }
}

const testsOf = (name: string, parts: readonly Part[]): string =>
  `'use strict'\n\nconst { test } = require('node:test')\nconst { equal } = require('node:assert/strict')\nconst lib = require('../lib/${name}.js')\n${
    parts.map(({ checks }, index) => `\ntest('${name} ${index + 1}', () => {\n${checks.split('\n').map(line => `  ${line}\n`).join('')}})\n`).join('')}`

function write (dir: string, path: string, text: string): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true })
  writeFileSync(join(dir, path), text)
}

function git (dir: string, commit: number, ...args: string[]): void {
  const date = `${firstCommit + commit * 86_400} +0000`
  const env = { ...process.env, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' }
  execFileSync('git', ['-c', 'user.name=chaos', '-c', 'user.email=chaos@example.org', '-c', 'commit.gpgsign=false', ...args], { cwd: dir, env, stdio: 'pipe' })
}
