// How a model's replies are read: a table of each protocol's good and bad forms, and what no text may do.

import fc from 'fast-check'
import t from 'tap'
import type { Role, ToolCall } from '../../../src/domain.ts'
import { readNativeCall } from '../../../src/policy/llm/native.ts'
import { readTextCall, submitForm } from '../../../src/policy/llm/text-protocol.ts'

const five = { testScript: 's', testFiles: 'f', testParser: 'p', bugInject: 'b', testWeaken: 'w' }

t.test('text: what is a call', async t => {
  const cases: [string, Role, string, ToolCall][] = [
    ['a command of some lines', 'solver', 'I look.\n<tool: bash>\ncd src\nls "a b"\n</tool>', { tool: 'bash', command: 'cd src\nls "a b"' }],
    ['white space around the tags', 'solver', '  <tool:bash>  \nls\n </tool> \n\n', { tool: 'bash', command: 'ls' }],
    ['an empty command', 'solver', '<tool: bash>\n</tool>', { tool: 'bash', command: '' }],
    ['an edit', 'solver', '<tool: edit>\na b.js\n<<<<<<< SEARCH\nold\n=======\nnew\n\n>>>>>>> REPLACE\n</tool>', { tool: 'edit', path: 'a b.js', search: 'old\n', replace: 'new\n\n' }],
    ['an edit that removes', 'solver', '<tool: edit>\na.js\n<<<<<<< SEARCH\nold\n=======\n>>>>>>> REPLACE\n</tool>', { tool: 'edit', path: 'a.js', search: 'old\n', replace: '' }],
    ['a file that speaks of tags', 'solver', '<tool: create>\nREADME\nwrite `<tool: bash>` and </tool> within a line\n  </tool>\n</tool>', { tool: 'create', path: 'README', content: 'write `<tool: bash>` and </tool> within a line\n  </tool>\n' }],
    ['an empty file', 'solver', '<tool: create>\na\n</tool>', { tool: 'create', path: 'a', content: '' }],
    ['the submit of a solver', 'solver', `Done.\n${submitForm('solver')}`, { tool: 'submit', paths: null }],
    ['the submit of a breaker', 'breaker', '<tool: submit>\ntest_script: s\ntest_files: f\ntest_parser: p\nbug_inject: b\ntest_weaken: w\n</tool>', { tool: 'submit', paths: five }]
  ]
  for (const [name, role, reply, call] of cases) t.same(readTextCall(role, reply), { call, fault: null }, name)
})

t.test('text: what is none, and what the model is told', async t => {
  const cases: [string, RegExp][] = [
    ['I am done.', /called no tool/],
    ['<tool: bash> ls </tool>', /called no tool/],
    ['<tool: bash>\nls', /no end/],
    ['<tool: bash>\nls\n</tool>\nNow I wait.', /something follows/],
    ['<tool: bash>\nls\n</tool>\n<tool: bash>\npwd\n</tool>', /more than one tool/],
    ['<tool: python>\n1\n</tool>', /no tool "python"/],
    ['<tool: edit>\na.js\nold\n</tool>', /SEARCH/],
    ['<tool: edit>\na.js\n<<<<<<< SEARCH\nold\n</tool>', /=======/],
    ['<tool: create>\n</tool>', /path of the file/],
    ['<tool: submit>\neverything\n</tool>', /name: path/],
    ['<tool: submit>\ntest_script: s\n</tool>', /no argument "test_script"/]
  ]
  for (const [reply, fault] of cases) t.match(readTextCall('solver', reply), { call: null, fault }, reply)
  t.match(readTextCall('breaker', submitForm('solver')), { call: null, fault: /needs the argument "test_script"/ })
})

t.test('native: what is a call, and what the model is told', async t => {
  const call = (name: string, args: unknown): { id: string; name: string; arguments: string } => ({ id: '1', name, arguments: typeof args === 'string' ? args : JSON.stringify(args) })
  t.same(readNativeCall('solver', [call('bash', { command: 'ls' })]), { call: { tool: 'bash', command: 'ls' }, fault: null })
  t.same(readNativeCall('solver', [call('submit', '')]), { call: { tool: 'submit', paths: null }, fault: null })
  const cases: [ReturnType<typeof call>[], RegExp][] = [
    [[], /called no tool/],
    [[call('bash', { command: 'ls' }), call('bash', { command: 'ls' })], /called 2 tools/],
    [[call('bash', '{"command": "ls')], /no JSON/],
    [[call('bash', '[]')], /no object/],
    [[call('bash', { command: 1 })], /no text/],
    [[call('bash', {})], /needs the argument "command"/],
    [[call('bash', { command: 'ls', timeout: 5 })], /no argument "timeout"/],
    [[call('constructor', {})], /no tool/],
    [[call('bash', '{"__proto__": {"command": "ls"}}')], /needs the argument|no argument/]
  ]
  for (const [calls, fault] of cases) t.match(readNativeCall('solver', calls), { call: null, fault })
})

t.test('no text breaks the readers, and every file survives the text protocol', async () => {
  const piece = fc.constantFrom('<tool: bash>', '</tool>', '<tool: edit>', '=======', '<<<<<<< SEARCH', '>>>>>>> REPLACE', 'a.js', '', ' ', 'x: y')
  fc.assert(fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 12 }), lines => {
    const { call, fault } = readTextCall('breaker', lines.join('\n'))
    return (call === null) !== (fault === null)
  }))
  const line = fc.oneof(fc.string().filter(text => !/[\n\r]/.test(text)), fc.constantFrom('=======', '>>>>>>> REPLACE', '</tool> ', '<tool: x>'))
  fc.assert(fc.property(fc.array(line.filter(text => text.trim() !== '</tool>'), { maxLength: 8 }), lines => {
    const content = lines.map(text => `${text}\n`).join('')
    const { call } = readTextCall('solver', `<tool: create>\na\n${content}</tool>`)
    return call?.tool === 'create' && call.content === content
  }))
})
