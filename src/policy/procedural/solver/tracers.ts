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
LINES, FAILED, TESTS = {}, set(), set()
WANTED = {}
now = ''
def wanted(name):
    try:
        return WANTED[name]
    except KeyError:
        path = os.path.realpath(name)
        parts = path.split(os.sep)
        WANTED[name] = path.startswith(TREE) and path.endswith('.py') and 'site-packages' not in parts
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

/**
 * Folds the profiles that NODE_V8_COVERAGE leaves into `{ path: [[line, count]] }`, one object a folder: the count of the
 * innermost range that holds the line. `node fold.cjs TREE FOLDER…`
 */
export const nodeFold = `'use strict'
const fs = require('node:fs')
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
    const ranges = functions.flatMap(({ ranges }) => ranges).sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset)
    const lines = files[path.slice(tree.length + 1)] ??= {}
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
      if (last > first && count > 0) lines[index + 1] = (lines[index + 1] ?? 0) + count
    })
  }
}
for (const path in files) files[path] = Object.entries(files[path]).map(([line, count]) => [Number(line), count])
console.log('#solver# counts ' + dir)
console.log(JSON.stringify(files))
}
`
