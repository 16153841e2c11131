// The small repository that chaos plays on: three modules, a node:test file for each, and a history in which every commit adds
// something that a test wants. Commits carry fixed dates, so that it is the same repository
// wherever it is made; no bug in it can make a loop endless, so that a rollout takes a second.

import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

interface Part { code: string; checks: string }
interface Module { name: string; parts: Part[] }

const modules: Module[] = [
  { name: 'text', parts: [
    { code: 'exports.upper = text => {\n  const raised = text.toUpperCase()\n  return raised\n}\n', checks: "equal(lib.upper('a'), 'A')" },
    { code: 'exports.join = (texts, between) => {\n  const given = texts.filter(text => text.length > 0)\n  return given.join(between)\n}\n', checks: "equal(lib.join(['a', 'b'], '-'), 'a-b')\nequal(lib.join(['a', ''], '-'), 'a')" },
    { code: 'exports.initial = text => {\n  if (text === \'\') return null\n  return text[0]\n}\n', checks: "equal(lib.initial('ab'), 'a')\nequal(lib.initial(''), null)" },
    { code: 'exports.words = text => {\n  if (text === \'\') return []\n  return text.split(\' \').filter(word => word.length > 0)\n}\n', checks: "equal(lib.words('a b').length, 2)\nequal(lib.words('').length, 0)\nequal(lib.words(' a ').length, 1)" }
  ] },
  { name: 'list', parts: [
    { code: 'exports.sum = list => {\n  let total = 0\n  for (const item of list) total += item\n  return total\n}\n', checks: 'equal(lib.sum([1, 2]), 3)\nequal(lib.sum([]), 0)' },
    { code: 'exports.largest = list => {\n  let best = list[0]\n  for (const item of list) if (item > best) best = item\n  return best\n}\n', checks: 'equal(lib.largest([1, 3, 2]), 3)\nequal(lib.largest([-1]), -1)' },
    { code: 'exports.unique = list => {\n  const seen = []\n  for (const item of list) {\n    if (!seen.includes(item)) seen.push(item)\n  }\n  return seen\n}\n', checks: "equal(lib.unique([1, 1, 2]).join(), '1,2')\nequal(lib.unique([]).length, 0)" },
    { code: 'exports.last = list => {\n  if (list.length === 0) return null\n  return list[list.length - 1]\n}\n', checks: 'equal(lib.last([1, 2]), 2)\nequal(lib.last([]), null)' }
  ] },
  { name: 'number', parts: [
    { code: 'exports.clamp = (value, min, max) => {\n  if (value < min) return min\n  if (value > max) return max\n  return value\n}\n', checks: 'equal(lib.clamp(5, 1, 3), 3)\nequal(lib.clamp(0, 1, 3), 1)\nequal(lib.clamp(2, 1, 3), 2)' },
    { code: 'exports.isEven = value => {\n  const rest = value % 2\n  return rest === 0\n}\n', checks: 'equal(lib.isEven(2), true)\nequal(lib.isEven(3), false)' },
    { code: 'exports.square = value => {\n  const squared = value * value\n  return squared\n}\n', checks: 'equal(lib.square(3), 9)\nequal(lib.square(0), 0)' },
    { code: 'exports.sign = value => {\n  if (value === 0) return 0\n  return value > 0 ? 1 : -1\n}\n', checks: 'equal(lib.sign(5), 1)\nequal(lib.sign(-5), -1)\nequal(lib.sign(0), 0)' }
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
