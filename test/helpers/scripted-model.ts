// A model that plays by a script on one small repository, for tests of everything between a server and a reward: its breaker
// makes a real bug, its solver repairs it in some attempts and does in others what models do. It speaks the text protocol.

import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const operations = ['add', 'subtract', 'multiply', 'least', 'most', 'sign', 'half', 'double', 'square', 'negate', 'clamp', 'average']
const bodies: Record<string, string> = {
  add: 'a + b', subtract: 'a - b', multiply: 'a * b', least: 'a < b ? a : b', most: 'a > b ? a : b', sign: 'a < 0 ? -1 : a > 0 ? 1 : 0', half: 'a / 2', double: 'a + a', square: 'a * a', negate: '-a', clamp: 'a < 0 ? 0 : a > b ? b : a', average: '(a + b) / 2'
}
const expected: Record<string, number> = { add: 10, subtract: 4, multiply: 21, least: 3, most: 7, sign: 1, half: 3.5, double: 14, square: 49, negate: -7, clamp: 3, average: 5 }

/** A git repository whose tests run with node:test. */
export function makeScriptedRepository (folder: string): string {
  mkdirSync(join(folder, 'test'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'numbers', version: '1.0.0', scripts: { test: 'node --test' } }))
  writeFileSync(join(folder, 'numbers.js'), operations.map(name => `exports.${name} = (a, b) => ${bodies[name]}\n`).join(''))
  writeFileSync(join(folder, 'test', 'numbers.test.js'), `const test = require('node:test')\nconst assert = require('node:assert')\nconst numbers = require('../numbers.js')\n` +
    operations.map(name => `test('${name}', () => assert.equal(numbers.${name}(7, 3), ${expected[name]}))\n`).join(''))
  const git = (...args: string[]): void => { execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], { cwd: folder, stdio: 'ignore' }) }
  git('init', '-q')
  git('add', '-A')
  git('commit', '-qm', 'numbers')
  return folder
}

const call = (tool: string, body: string): string => `I go on.\n<tool: ${tool}>\n${body}\n</tool>`

/** The reply to a conversation; `attempt` counts the solver's conversations, from 0. With `parserLies` the parser leaves a test out. */
export function scriptedReply (messages: { role: string; content: string }[], attempt: () => number, parserLies = false): string {
  const scratch = /; (\S+) is a private folder/.exec(messages[0]!.content)![1]!
  const turn = messages.filter(({ role }) => role === 'assistant').length
  return messages[1]!.content.startsWith('Your task is to make a bug') ? breakerReply(turn, scratch, parserLies) : solverReply(turn, attempt())
}

function breakerReply (turn: number, scratch: string, parserLies: boolean): string {
  const steps = [
    call('bash', `mkdir -p ${scratch} && cat > ${scratch}/test_files.txt <<'END'\ntest/numbers.test.js\nEND\ncat > ${scratch}/test_script.sh <<'END'\nnode --test --test-reporter=tap test/numbers.test.js\nEND\nls`),
    call('create', `${scratch}/test_parser.js\nlet log = ''\nprocess.stdin.on('data', data => { log += data })\nprocess.stdin.on('end', () => {\n  const results = {}\n  for (const [, not, name] of log.matchAll(/^(not )?ok \\d+ - (\\w+)/gm)) ${parserLies ? "if (name !== 'half') " : ''}results['test/numbers.test.js::' + name] = not ? 'failed' : 'passed'\n  console.log(JSON.stringify(results))\n})`),
    call('bash', `bash ${scratch}/test_script.sh > ${scratch}/log; node ${scratch}/test_parser.js < ${scratch}/log`),
    call('edit', 'numbers.js\n<<<<<<< SEARCH\nexports.clamp = (a, b) => a < 0 ? 0 : a > b ? b : a\n=======\nexports.clamp = (a, b) => a < 0 ? 0 : a\n>>>>>>> REPLACE'),
    call('bash', `git diff > ${scratch}/bug_inject.diff; sed -i "/^test('clamp'/d" test/numbers.test.js; git diff -- test > ${scratch}/test_weaken.diff; bash ${scratch}/test_script.sh | tail -n 8`),
    call('submit', Object.entries({ test_script: 'test_script.sh', test_files: 'test_files.txt', test_parser: 'test_parser.js', bug_inject: 'bug_inject.diff', test_weaken: 'test_weaken.diff' }).map(([name, file]) => `${name}: ${scratch}/${file}`).join('\n'))
  ]
  return steps[turn] ?? 'I am done.'
}

/** Three in turn: repaired; submitted as it is; nothing but words. */
function solverReply (turn: number, attempt: number): string {
  if (attempt % 3 === 2) return 'I think that the code is fine as it is.'
  if (attempt % 3 === 1) return call('submit', '')
  const repair = call('edit', 'numbers.js\n<<<<<<< SEARCH\nexports.clamp = (a, b) => a < 0 ? 0 : a\n=======\nexports.clamp = (a, b) => a < 0 ? 0 : a > b ? b : a\n>>>>>>> REPLACE')
  return [call('bash', 'cat numbers.js'), repair][turn] ?? call('submit', '')
}
