// Grading outside of Spar: what SWE-bench's evaluation script and Harbor's verifier have in common. The rules are those of
// src/verify/grade.ts: an attempt may touch neither oracle files nor what decides how tests run, the oracle files are put
// back, and only the ids that the artifact's own parser prints count, never an exit code.

import { infrastructureRules } from '../arena/runners/paths.ts'
import { readTestFiles } from '../artifact/index.ts'
import { shellQuote } from '../quote.ts'
import { parserCommand } from '../verify/parser.ts'
import { verifyLimits } from '../verify/limits.ts'
import { bareGit } from '../verify/tree.ts'
import type { ExportedBug } from './bugs.ts'
import { baseRepository } from './image.ts'

export interface GradingFile { name: string; bytes: Uint8Array; executable?: true }

/** What a grader needs beside the tree. */
export function gradingFiles ({ bug, oracle, summary }: ExportedBug): GradingFile[] {
  const { testScript, testFiles, testParser, parserName } = bug.files
  return [
    { name: 'test_script.sh', bytes: testScript, executable: true },
    { name: 'test_files.txt', bytes: Buffer.from(readTestFiles(testFiles).map(path => `${path}\n`).join('')) },
    { name: parserName, bytes: testParser, executable: true },
    { name: 'oracle.diff', bytes: oracle },
    { name: 'expected.json', bytes: Buffer.from(JSON.stringify({ f2p: summary.f2p, p2p: summary.p2p }) + '\n') },
    { name: 'rules.json', bytes: Buffer.from(JSON.stringify(infrastructureRules) + '\n') },
    { name: 'grade.py', bytes: Buffer.from(pythonGrader) },
    { name: 'grade.js', bytes: Buffer.from(nodeGrader) }
  ]
}

/** Functions for bash: `grader`, `restore_tests`, `parse_log`. They read the files of `folder` and work in `tree`. */
export function gradingFunctions ({ bug }: ExportedBug, tree: string, folder: string): string {
  const parser = `${folder}/${bug.files.parserName}`
  return `tree=${shellQuote(tree)}
files=${shellQuote(folder)}
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
grader () {
  if command -v python3 > /dev/null; then python3 -I "$files/grade.py" "$@"
  elif command -v node > /dev/null; then node "$files/grade.js" "$@"
  else echo 'neither python3 nor node is here to grade with' >&2; return 70; fi
}
# Every oracle file as it is in the one commit, then the weakening backwards.
restore_tests () {
  cd "$tree" || return 70
  while IFS= read -r path; do
    rm -rf -- "./$path"
    ${bareGit} --git-dir=${baseRepository} --work-tree=. checkout -q -f HEAD -- ":(literal)$path" 2> /dev/null || :
  done < "$files/test_files.txt"
  GIT_DIR=/dev/null ${bareGit} apply --whitespace=nowarn "$files/oracle.diff"
}
parse_log () { ( cd / && timeout ${verifyLimits.parserMsMax / 1000} ${parserCommand(parser, bug.files.testParser) ?? shellQuote(parser)} 2> /dev/null ) }
`
}

/** Longest run of the suite, seconds. */
export const suiteSecondsMax = verifyLimits.scriptMsMax / 1000

/** How a test id is written where it needs a line of its own: as it is, or as JSON where that would not come back. */
export const lineId = (id: string): string => /^(?!")\S(?:.*\S)?$/.test(id) && !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(id) ? id : JSON.stringify(id)

const pythonGrader = String.raw`# paths: NUL-separated names on stdin; exit 3 where one of them is out of bounds.
# tap RESULTS: every result as a line of TAP. fail: every expected test as failed.
# reward RESULTS: 1 where every expected test is there and passed, else 0.
import json
import os
import re
import sys

here = os.path.dirname(os.path.abspath(__file__))


def load(name):
    with open(os.path.join(here, name), encoding='utf-8') as file:
        return json.load(file)


def results(path):
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            value = json.load(file)
    except (OSError, ValueError):
        return {}
    whole = isinstance(value, dict) and all(status in ('passed', 'failed') for status in value.values())
    return value if whole else {}


def line_id(name):
    plain = re.fullmatch(r'(?!")\S(?:.*\S)?', name) and not re.search('[\x00-\x1f\x7f-\x9f\u2028\u2029]', name)
    return name if plain else json.dumps(name, ensure_ascii=False)


def forbidden(path):
    rules = load('rules.json')
    with open(os.path.join(here, 'test_files.txt'), encoding='utf-8') as file:
        tests = file.read().split('\n')[:-1]
    if any(path == test or test.startswith(path + '/') or path.startswith(test + '/') for test in tests):
        return True
    *folders, name = path.split('/')
    if any(folder in rules['folders'] or any(re.search(rule, folder) for rule in rules['folderPatterns']) for folder in folders):
        return True
    return any(re.search(rule, name) for rule in rules['names'])


def main(command, *arguments):
    sys.stdout.reconfigure(encoding='utf-8', errors='backslashreplace', newline='\n')
    expected = load('expected.json')
    ids = expected['f2p'] + expected['p2p']
    if command == 'paths':
        paths = sys.stdin.buffer.read().decode('utf-8', 'replace').split('\0')
        return 3 if any(forbidden(path) for path in paths if path) else 0
    if command == 'fail':
        for number, name in enumerate(ids, 1):
            print('not ok', number, line_id(name))
        return 0
    found = results(arguments[0])
    if command == 'reward':
        print(1 if ids and all(found.get(name) == 'passed' for name in ids) else 0)
        return 0
    for number, (name, status) in enumerate(found.items(), 1):
        print('ok' if status == 'passed' else 'not ok', number, line_id(name))
    return 0


sys.exit(main(*sys.argv[1:]))
`

const nodeGrader = String.raw`// The same as grade.py, for images without Python.
const { readFileSync } = require('node:fs')
const { join } = require('node:path')

const load = name => JSON.parse(readFileSync(join(__dirname, name), 'utf8'))

function results (path) {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8'))
    const whole = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(status => status === 'passed' || status === 'failed')
    return new Map(whole ? Object.entries(value) : [])
  } catch {
    return new Map()
  }
}

const lineId = name => /^(?!")\S(?:.*\S)?$/.test(name) && !/[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(name) ? name : JSON.stringify(name)

function forbidden (path) {
  const rules = load('rules.json')
  const tests = readFileSync(join(__dirname, 'test_files.txt'), 'utf8').split('\n').slice(0, -1)
  if (tests.some(test => path === test || test.startsWith(path + '/') || path.startsWith(test + '/'))) return true
  const folders = path.split('/')
  const name = folders.pop()
  if (folders.some(folder => rules.folders.includes(folder) || rules.folderPatterns.some(rule => new RegExp(rule).test(folder)))) return true
  return rules.names.some(rule => new RegExp(rule).test(name))
}

function main (command, path) {
  const { f2p, p2p } = load('expected.json')
  const ids = [...f2p, ...p2p]
  const print = lines => process.stdout.write(lines.map(line => line + '\n').join(''))
  if (command === 'paths') return readFileSync(0, 'utf8').split('\0').some(path => path !== '' && forbidden(path)) ? 3 : 0
  if (command === 'fail') return print(ids.map((id, index) => 'not ok ' + (index + 1) + ' ' + lineId(id)))
  const found = results(path)
  if (command === 'reward') return print([ids.length > 0 && ids.every(id => found.get(id) === 'passed') ? '1' : '0'])
  print([...found].map(([id, status], index) => (status === 'passed' ? 'ok ' : 'not ok ') + (index + 1) + ' ' + lineId(id)))
}

process.exitCode = main(...process.argv.slice(2)) || 0
`
