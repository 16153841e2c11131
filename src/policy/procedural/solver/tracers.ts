// Programs that the solver writes into its scratch folder to see which lines the tests run. They ride on environment
// variables, so that any test script is traced without being changed. What does not fit: runners that transform sources
// before they run them, and tracers that the project itself installs; both leave fewer lines, never wrong results.

/**
 * `sitecustomize.py`: lines by test. The tracer sees every call, so it reads from the frames of pytest and unittest which
 * test is running and which one failed; nothing of theirs is patched. Written out when the interpreter ends.
 */
export const pythonTracer = `import atexit, json, os, sys, threading
TREE = os.environ['SOLVER_TREE'] + os.sep
OUT = os.environ['SOLVER_LINES']
INSTALLED = {f'{place}-packages' for place in ('site', 'dist')}
LINES, FAILED, TESTS = {}, set(), set()
WANTED = {}
now = ''
def wanted(name):
    try:
        return WANTED[name]
    except KeyError:
        path = os.path.realpath(name)
        parts = path.split(os.sep)
        WANTED[name] = path.startswith(TREE) and path.endswith('.py') and INSTALLED.isdisjoint(parts)
        return WANTED[name]
def line(frame, event, arg):
    if event == 'line':
        LINES.setdefault(frame.f_code.co_filename, {}).setdefault(frame.f_lineno, set()).add(now)
    return line
def call(frame, event, arg):
    global now
    code = frame.f_code
    name = code.co_name
    try:
        if name == 'pytest_runtest_protocol' and 'item' in frame.f_locals:
            now = frame.f_locals['item'].nodeid
            TESTS.add(now)
        elif name == 'pytest_runtest_logreport' and 'report' in frame.f_locals:
            if frame.f_locals['report'].failed:
                FAILED.add(frame.f_locals['report'].nodeid)
        elif name == 'run' and code.co_filename.endswith(os.path.join('unittest', 'case.py')):
            now = frame.f_locals['self'].id()
            TESTS.add(now)
        elif name in ('addFailure', 'addError') and code.co_filename.endswith(os.path.join('unittest', 'result.py')):
            FAILED.add(frame.f_locals['test'].id())
    except Exception:
        pass
    if wanted(code.co_filename):
        LINES.setdefault(code.co_filename, {}).setdefault(frame.f_lineno, set()).add(now)
        return line
def done():
    sys.settrace(None)
    if not LINES:
        return
    files = {}
    for name, lines in LINES.items():
        if wanted(name):
            path = os.path.relpath(os.path.realpath(name), TREE)
            files[path] = [[at, len(tests & FAILED), len(tests - FAILED)] for at, tests in sorted(lines.items())]
    with open(os.path.join(OUT, '%d.json' % os.getpid()), 'w') as out:
        json.dump({'failing': len(FAILED), 'passing': len(TESTS - FAILED), 'files': files}, out, separators=(',', ':'))
if os.path.isdir(OUT):
    atexit.register(done)
    threading.settrace(call)
    sys.settrace(call)
`

/** JavaScript: how often every line ran, from the functions of a V8 profile; calls back for lines that did. */
const countLines = `function countLines (text, functions, each) {
  const ranges = functions.flatMap(({ ranges }) => ranges).sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset)
  const open = []
  let next = 0
  let at = 0
  text.split('\\n').forEach((line, index) => {
    const first = at + line.length - line.trimStart().length
    const last = at + line.trimEnd().length
    at += line.length + 1
    let count = 0
    // A line can hold several ranges: the largest count of its first character and of the ranges that begin in it.
    for (let stop = first; ; stop = Math.max(stop, ranges[next].startOffset)) {
      while (next < ranges.length && ranges[next].startOffset <= stop) open.push(ranges[next++])
      while (open.length > 0 && open[open.length - 1].endOffset <= stop) open.pop()
      if (open.length > 0) count = Math.max(count, open[open.length - 1].count)
      if (next >= ranges.length || ranges[next].startOffset >= last) break
    }
    if (last > first && count > 0) each(index + 1, count)
  })
}
`

/**
 * Loaded with `--require`: lines by test. The counters of V8 are read and set back whenever a test ends: an assertion of
 * tape, a test of node:test, a test of mocha; which of them it is shows in what the test file loads. What ran before the
 * first test belongs to none. Written out when the process ends, in the form of `pythonTracer`.
 */
export const nodeTracer = `'use strict'
const { Session } = require('node:inspector')
const Module = require('node:module')
const fs = require('node:fs')
const { join } = require('node:path')
const { fileURLToPath } = require('node:url')
const tree = process.env.SOLVER_TREE + '/'
const out = process.env.SOLVER_LINES
const files = {}
const texts = {}
const tests = { failing: 0, passing: 0 }
${countLines}
const session = new Session()
session.connect()
const post = (method, options) => {
  let answer
  session.post(method, options, (error, value) => { answer = value })
  return answer
}
post('Profiler.enable')
post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })

function textOf (path) {
  try { return texts[path] ??= fs.readFileSync(path, 'utf8') } catch { return null }
}

function take (kind) {
  const { result } = post('Profiler.takePreciseCoverage')
  if (kind !== null) tests[kind]++
  for (const { url, functions } of result) {
    if (!url.startsWith('file://') || !functions.some(({ ranges }) => ranges[0].count > 0)) continue
    const path = fileURLToPath(url)
    if (!path.startsWith(tree) || path.includes('/node_modules/') || kind === null) continue
    const text = textOf(path)
    if (text === null) continue
    const lines = files[path.slice(tree.length)] ??= {}
    countLines(text, functions, line => { (lines[line] ??= { failing: 0, passing: 0 })[kind]++ })
  }
}

function watchTape (Test) {
  const { run, _assert } = Test.prototype
  Test.prototype.run = function () {
    take(null)
    return run.apply(this, arguments)
  }
  Test.prototype._assert = function (ok, options) {
    const value = _assert.apply(this, arguments)
    if (!options || !options.skip) take(ok ? 'passing' : 'failing')
    return value
  }
}

function watchMocha (Runner) {
  const before = Runner.prototype.emit
  Runner.prototype.emit = function (event) {
    if (event === 'start') take(null)
    if (event === 'pass') take('passing')
    if (event === 'fail') take('failing')
    return before.apply(this, arguments)
  }
}

function watched (body) {
  const run = async (call) => {
    take(null)
    try {
      await call()
      take('passing')
    } catch (error) {
      take('failing')
      throw error
    }
  }
  if (body.length < 2) return function (t) { return run(() => body.call(this, t)) }
  return function (t) { return run(() => new Promise((resolve, reject) => body.call(this, t, error => error ? reject(error) : resolve()))) }
}

const wraps = new Map()
function watchNodeTest (test) {
  if (!wraps.has(test)) {
    wraps.set(test, new Proxy(test, {
      apply: (target, self, all) => Reflect.apply(target, self, all.map(value => typeof value === 'function' ? watched(value) : value)),
      get: (target, name) => ['test', 'it', 'default', 'only'].includes(name) && typeof target[name] === 'function' ? watchNodeTest(target[name]) : target[name]
    }))
  }
  return wraps.get(test)
}

const seen = new WeakSet()
const load = Module._load
Module._load = function (request) {
  const loaded = load.apply(this, arguments)
  if (request === 'node:test' || request === 'test') return watchNodeTest(loaded)
  if (typeof loaded !== 'function' || !loaded.prototype || seen.has(loaded)) return loaded
  const own = name => Object.prototype.hasOwnProperty.call(loaded.prototype, name)
  if (own('_assert')) watchTape(loaded)
  else if (own('runTest') && own('runSuite')) watchMocha(loaded)
  else return loaded
  seen.add(loaded)
  return loaded
}

process.on('exit', () => {
  if (tests.failing + tests.passing === 0) return
  for (const path in files) files[path] = Object.entries(files[path]).map(([line, { failing, passing }]) => [Number(line), failing, passing])
  try { fs.writeFileSync(join(out, process.pid + '.json'), JSON.stringify({ ...tests, files })) } catch {}
})
`

/**
 * Folds the profiles that NODE_V8_COVERAGE leaves into `{ path: [[line, count]] }`, one object a folder: the count of the
 * innermost range that holds the line. `node fold.cjs TREE FOLDER…`
 */
export const nodeFold = `'use strict'
${countLines}const fs = require('node:fs')
const { join } = require('node:path')
const { fileURLToPath } = require('node:url')
const [, , tree, ...folders] = process.argv
const texts = {}
for (const dir of folders) {
const files = {}
for (const name of fs.existsSync(dir) ? fs.readdirSync(dir) : []) {
  let scripts = []
  try { scripts = JSON.parse(fs.readFileSync(join(dir, name), 'utf8')).result } catch {}
  for (const { url, functions } of scripts) {
    if (!url.startsWith('file://')) continue
    const path = fileURLToPath(url)
    if (!path.startsWith(tree + '/') || path.includes('/node_modules/')) continue
    let text
    try { text = texts[path] ??= fs.readFileSync(path, 'utf8') } catch { continue }
    const lines = files[path.slice(tree.length + 1)] ??= {}
    countLines(text, functions, (line, count) => { lines[line] = (lines[line] ?? 0) + count })
  }
}
for (const path in files) files[path] = Object.entries(files[path]).map(([line, count]) => [Number(line), count])
console.log('#solver# counts ' + dir)
console.log(JSON.stringify(files))
}
`
