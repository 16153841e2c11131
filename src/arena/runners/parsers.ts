// The parsers that match the scripts. Ours announce each file, `# file: path`, and print a line per test, `PASSED path::name`
// or `FAILED path::name`, in which control characters of a name are written as JSON escapes; pytest prints the same words in its summary. Each parser is a
// program of its own, kept with the artifact: raw log on stdin, one JSON object on stdout. A test that is named twice has
// the worst of its results.

import type { Ecosystem } from '../../domain.ts'

/** Names the parser so that its ecosystem's interpreter runs it. */
export function parserOf (ecosystem: Ecosystem, source: string): { name: string; source: string } {
  return { name: { python: 'test_parser.py', node: 'test_parser.js', go: 'test_parser.sh' }[ecosystem], source }
}

/** Python, for pytest's summary. The id of a failure ends where ` - message` begins, which a parameter may hold too. */
export const pytestParser = String.raw`#!/usr/bin/env python3
# Reads the short test summary of pytest (-rfEp): words PASSED, FAILED and ERROR with the test's id.
import json
import re
import sys

HEAD = re.compile(r'^=+ short test summary info =+$')
LINE = re.compile(r'^(PASSED|FAILED|ERROR|SUBFAILED(?:\[.*?\]|\(.*?\))*) (.*::.*)$')


def test_id(text):
    after_file = text.find('::')
    bracket, dash = text.find('[', after_file), text.find(' - ', after_file)
    if dash == -1:
        return text
    if -1 < bracket < dash:
        end = text.find('] - ', bracket)
        return text[:end + 1] if end != -1 else text
    return text[:dash]


def main():
    lines = sys.stdin.buffer.read().decode('utf-8', 'replace').split('\n')
    heads = [number for number, line in enumerate(lines) if HEAD.match(line.rstrip('\r'))]
    results = {}
    for line in lines[heads[-1] + 1:] if heads else []:
        match = LINE.match(line.rstrip('\r'))
        if match is None:
            continue
        passed = match.group(1) == 'PASSED'
        name = match.group(2) if passed else test_id(match.group(2))
        if results.get(name) != 'failed':
            results[name] = 'passed' if passed else 'failed'
    if not results:
        sys.exit('no test result in the log')
    print(json.dumps(results))


main()
`

/** Python, for the lines that our unittest launcher prints. */
export const unittestParser = String.raw`#!/usr/bin/env python3
# Reads lines "PASSED file::test" and "FAILED file::test" of files that "# file: path" announced; the rest of the log is
# what the tests print.
import json
import re
import sys

LINE = re.compile(r'^(PASSED|FAILED) (.*::.*)$')


def main():
    results = {}
    files = set()
    for line in sys.stdin.buffer.read().decode('utf-8', 'replace').split('\n'):
        if line.startswith('# file: '):
            files.add(line[8:] + '::')
            continue
        match = LINE.match(line)
        if match is None or not any(match.group(2).startswith(file) for file in files):
            continue
        if results.get(match.group(2)) != 'failed':
            results[match.group(2)] = match.group(1).lower()
    if not results:
        sys.exit('no test result in the log')
    print(json.dumps(results))


main()
`

/** JavaScript, for the lines that our node:test, mocha, jest and vitest launchers print. */
export const nodeParser = String.raw`#!/usr/bin/env node
// Reads lines "PASSED file::suite > test" and "FAILED file::suite > test" of files that "# file: path" announced; the rest
// of the log is what the tests print. Neither require nor import, so that this runs as a module of either kind.
const chunks = []
process.stdin.on('data', chunk => chunks.push(chunk))
process.stdin.on('end', () => {
  const results = new Map()
  const files = new Set()
  for (const line of Buffer.concat(chunks).toString('utf8').split('\n')) {
    if (line.startsWith('# file: ')) files.add(line.slice(8) + '::')
    const match = /^(PASSED|FAILED) (.*::.*)$/.exec(line)
    if (match === null || ![...files].some(file => match[2].startsWith(file))) continue
    if (results.get(match[2]) !== 'failed') results.set(match[2], match[1].toLowerCase())
  }
  if (results.size === 0) {
    process.stderr.write('no test result in the log\n')
    process.exitCode = 1
  } else process.stdout.write(JSON.stringify(Object.fromEntries(results)) + '\n')
})
`

/**
 * JavaScript, for TAP. Two dialects: tap (and node:test) nest, `# Subtest: name` opens and an unindented result closes;
 * tape is flat, `# name` opens a test whose assertions follow until the next one. Root-level assertions of tap stand for
 * themselves.
 */
export const tapParser = (dialect: 'tap' | 'tape'): string => String.raw`#!/usr/bin/env node
// Reads TAP as ${dialect} prints it, file after file, each announced by "# file: path".
// Neither require nor import, so that it runs as a module of either kind.
const results = new Map()
const report = (id, passed) => {
  if (results.get(id) !== 'failed') results.set(id, passed ? 'passed' : 'failed')
}
${dialect === 'tap' ? tapReader : tapeReader}
const chunks = []
process.stdin.on('data', chunk => chunks.push(chunk))
process.stdin.on('end', () => {
  read(Buffer.concat(chunks).toString('utf8').split('\n'))
  if (results.size === 0) {
    process.stderr.write('no test result in the log\n')
    process.exitCode = 1
  } else process.stdout.write(JSON.stringify(Object.fromEntries(results)) + '\n')
})
`

const tapeReader = String.raw`
function read (lines) {
  let file = ''
  let test = null
  let next = 1
  let footer = false
  for (const line of lines) {
    const marker = /^# file: (.+)$/.exec(line)
    if (marker) {
      file = marker[1]
      test = null
      next = 1
      footer = false
      continue
    }
    if (footer) continue
    if (/^1\.\.\d+$/.test(line)) footer = true
    else if (line.startsWith('# ')) test = line.slice(2).trim()
    else {
      // The number guards against lines that a test prints: assertions are counted through.
      const match = /^(not )?ok (\d+)(.*)$/.exec(line)
      if (!match || Number(match[2]) !== next) continue
      next++
      if (/ # (skip|todo)\b/i.test(match[3])) continue
      if (test !== null && !/^SKIP\b/.test(test)) report(file + '::' + test, !match[1])
    }
  }
}
`

const tapReader = String.raw`
// A directive counts behind an unescaped #, which is also where tap writes the time; " {" opens a buffered subtest.
const describe = (text, following) => {
  const buffered = / \{$/.test(text) && /^ +\S/.test(following ?? '')
  const [, words, directive = ''] = /^\s*(?:- ?)?(.*?)(?:(?:^|\s+)(?<!\\)#\s*((?:skip|todo|time=).*))?$/i.exec(buffered ? text.slice(0, -2) : text)
  return { name: unescape(words.trim()), left: /^(skip|todo)\b/i.test(directive), buffered }
}
const unescape = text => text.replace(/\\([#\\])/g, '$1')

function read (lines) {
  let file = ''
  // One level an indentation: the subtest that is announced there, and the number of the next result.
  let levels = []
  let yaml = null
  const level = depth => levels[depth] ?? (levels[depth] = { name: null, next: 1 })
  for (const [number, line] of lines.entries()) {
    const marker = /^# file: (.+)$/.exec(line)
    if (marker) {
      file = marker[1]
      levels = []
      yaml = null
      continue
    }
    const indent = /^ */.exec(line)[0].length
    const text = line.slice(indent)
    if (yaml !== null) {
      if (text === '...' && indent === yaml) yaml = null
      continue
    }
    if (text === '---' && indent % 4 === 2) {
      yaml = indent
      continue
    }
    if (indent % 4 !== 0) continue
    const depth = indent / 4
    const subtest = /^# Subtest(?:: (.*))?$/.exec(text)
    if (subtest) {
      // tap announces a subtest at its parent's indentation, older ones inside of the block.
      level(depth).name = unescape((subtest[1] ?? '').trim())
      levels.length = depth + 1
      continue
    }
    if (text === '}') {
      levels.length = Math.max(levels.length - 1, depth)
      if (levels[depth]) levels[depth].name = null
      continue
    }
    const match = /^(not )?ok (\d+)(.*)$/.exec(text)
    if (!match) continue
    const here = level(depth)
    if (Number(match[2]) !== here.next) continue
    here.next++
    const { name, left, buffered } = describe(match[3], lines[number + 1])
    const isTest = here.name !== null || buffered || depth === 0
    if (isTest && !left && name !== '') {
      const path = levels.slice(0, depth).map(({ name }) => name).filter(name => name !== null)
      report(file + '::' + [...path, name].join(' > '), !match[1])
    }
    levels.length = depth + 1
    here.name = buffered ? name : null
  }
}
`
