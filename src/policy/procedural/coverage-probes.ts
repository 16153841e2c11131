// Small programs that the coverage measurement leaves in the scratch folder of a sandbox and runs there. They condense
// what ran to `{ "path/in/tree": [[first line, last line], …] }`. Plain JavaScript and Python, for the versions that a
// repository brings along.

/** Reads V8's coverage files of a folder (NODE_V8_COVERAGE) and prints the lines that ran. `node v8-lines.cjs <tree> <folder>` */
export const v8Lines = String.raw`
const fs = require('fs')
const path = require('path')
const { fileURLToPath } = require('url')
const [root, folder] = process.argv.slice(2)
const tree = fs.realpathSync(root)
const marks = new Map()

const relative = url => {
  if (!url.startsWith('file://') && !url.startsWith('/')) return null
  let file
  try { file = fs.realpathSync(url.startsWith('/') ? url : fileURLToPath(url)) } catch { return null }
  const inside = path.relative(tree, file)
  return inside.startsWith('..') || inside.split(path.sep).includes('node_modules') ? null : inside.split(path.sep).join('/')
}

const marksOf = name => {
  if (!marks.has(name)) {
    const text = fs.readFileSync(path.join(tree, name), 'utf8')
    marks.set(name, { text, ran: new Uint8Array(text.length) })
  }
  return marks.get(name)
}

const add = ({ functions }, { text, ran }) => {
  const now = new Uint8Array(text.length)
  const ranges = functions.flatMap(f => f.ranges)
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset)
  for (const { startOffset, endOffset, count } of ranges) now.fill(count > 0 ? 1 : 0, startOffset, Math.min(endOffset, text.length))
  for (let at = 0; at < now.length; at++) ran[at] |= now[at]
}

let names = []
try { names = fs.readdirSync(folder).filter(name => name.endsWith('.json')) } catch {}
for (const name of names) {
  let coverage
  try { coverage = JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')) } catch { continue }
  const mapped = coverage['source-map-cache'] || {}
  for (const script of coverage.result || []) {
    const inside = relative(script.url)
    if (inside === null) continue
    const entry = marksOf(inside)
    // Source that was compiled before it ran: its offsets mean nothing here, so the whole file counts.
    if (mapped[script.url]) entry.ran.fill(1)
    else add(script, entry)
  }
}

const lines = {}
for (const [name, { text, ran }] of marks) {
  const found = []
  let line = 1
  let hit = false
  const end = () => {
    if (hit) {
      const last = found[found.length - 1]
      if (last && last[1] === line - 1) last[1] = line
      else found.push([line, line])
    }
    line++
    hit = false
  }
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\n') end()
    else if (ran[at] && !/[\s{}()\[\];,]/.test(text[at])) hit = true
  }
  end()
  if (found.length > 0) lines[name] = found
}
process.stdout.write(JSON.stringify(lines))
`

/**
 * Python's start-up hook: traces lines of files under $SPAR_COVER_TREE and writes them to $SPAR_COVER_OUT when the
 * process ends. sys.monitoring where there is one (3.12), else sys.settrace.
 */
export const pythonTracer = String.raw`
import atexit, json, os, sys, threading

out, tree = os.environ.get('SPAR_COVER_OUT'), os.environ.get('SPAR_COVER_TREE')
if out and tree:
    root = os.path.realpath(tree) + os.sep
    seen, names = {}, {}

    def inside(filename):
        if filename not in names:
            real = os.path.realpath(filename) if not filename.startswith('<') else ''
            kept = real.startswith(root) and 'site-packages' not in real
            names[filename] = seen.setdefault(real[len(root):], set()) if kept else None
        return names[filename]

    def save():
        lines = {}
        for name, numbers in list(seen.items()):
            ranges = []
            for number in sorted(numbers):
                if ranges and ranges[-1][1] == number - 1:
                    ranges[-1][1] = number
                else:
                    ranges.append([number, number])
            if ranges:
                lines[name.replace(os.sep, '/')] = ranges
        os.makedirs(out, exist_ok=True)
        with open(os.path.join(out, '%d.json' % os.getpid()), 'w') as file:
            json.dump(lines, file)

    atexit.register(save)
    if hasattr(sys, 'monitoring'):
        monitoring = sys.monitoring
        tool = monitoring.COVERAGE_ID

        def on_line(code, number):
            numbers = inside(code.co_filename)
            if numbers is not None:
                numbers.add(number)
            return monitoring.DISABLE

        try:
            monitoring.use_tool_id(tool, 'lines')
            monitoring.register_callback(tool, monitoring.events.LINE, on_line)
            monitoring.set_events(tool, monitoring.events.LINE)
        except ValueError:
            pass
    else:
        def on_call(frame, event, argument):
            numbers = inside(frame.f_code.co_filename)
            if numbers is None:
                return None

            def on_event(frame, event, argument):
                if event == 'line':
                    numbers.add(frame.f_lineno)
                return on_event

            numbers.add(frame.f_lineno)
            return on_event

        threading.settrace(on_call)
        sys.settrace(on_call)
`

/** Reads jest's report (Istanbul) and prints the lines that ran. `node istanbul-lines.cjs <tree> <report>` */
export const istanbulLines = String.raw`
const fs = require('fs')
const path = require('path')
const [root, report] = process.argv.slice(2)
const tree = fs.realpathSync(root)
const lines = {}
for (const file of Object.values(JSON.parse(fs.readFileSync(report, 'utf8')))) {
  const inside = path.relative(tree, file.path).split(path.sep).join('/')
  if (inside.startsWith('..') || inside.includes('node_modules/')) continue
  const ran = new Set()
  for (const [key, { start, end }] of Object.entries(file.statementMap)) {
    if (file.s[key] > 0) for (let line = start.line; line <= Math.min(end.line, start.line + 50); line++) ran.add(line)
  }
  // A statement that did not run may stand inside one that did.
  for (const [key, { start, end }] of Object.entries(file.statementMap)) {
    if (file.s[key] === 0) for (let line = start.line; line <= end.line; line++) ran.delete(line)
  }
  const found = [...ran].sort((a, b) => a - b).map(line => [line, line])
  if (found.length > 0) lines[inside] = found
}
process.stdout.write(JSON.stringify(lines))
`
