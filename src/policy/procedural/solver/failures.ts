// What the log of failing tests tells about the place of a bug: frames of stack traces that point into the tree, and the
// names and literals that errors and tests speak of. Read with regular expressions for the stack shapes of Node, Python
// and Go; other logs simply tell less.

export interface Frame {
  path: string
  line: number
  /** 0 for the frame nearest to the error among those of the tree, counted per trace. */
  depth: number
}

/**
 * Frames in the order of the log. `files` are the paths of the tree that count; an absolute path counts if it lies in
 * `tree`, a relative one if it names a file or its end names exactly one.
 */
export function readFrames (log: string, tree: string, files: readonly string[]): Frame[] {
  const known = new Set(files)
  const frames: Frame[] = []
  for (const trace of splitTraces(log)) {
    const found = trace.frames.flatMap(({ path, line }) => {
      const inTree = resolve(path, tree, known, files)
      return inTree === null ? [] : [{ path: inTree, line }]
    })
    if (trace.innermostLast) found.reverse()
    found.forEach((frame, depth) => frames.push({ ...frame, depth }))
  }
  return frames
}

interface Trace { frames: { path: string; line: number }[]; innermostLast: boolean }

const pythonFrame = /^\s*File "([^"]+)", line (\d+)/
/** pytest's short form `lib/x.py:12: ValueError` and `lib/x.py:12: in name`. */
const pytestFrame = /^([^\s:()'"]+\.py):(\d+): /
const nodeFrame = /(?:\(|\s|^)(?:file:\/\/)?((?:\/|[A-Za-z]:|\.{0,2}\/)?[^\s():'"]+\.[cm]?[jt]sx?):(\d+)(?::\d+)?\)?/
const goFrame = /^\s*([^\s:]+\.go):(\d+)/

/** Consecutive frames make one trace; up to three lines between two frames (source excerpts) do not end it. */
function splitTraces (log: string): Trace[] {
  const traces: Trace[] = []
  let current: Trace | null = null
  let gap = 0
  for (const line of log.split('\n')) {
    const frame = readFrame(line)
    if (frame === null) {
      const rule = /^[_=-]{10,}|^not ok|^\s*$/.test(line) && !current?.innermostLast
      if (++gap > (current?.innermostLast ? 40 : 3) || rule) current = null
      continue
    }
    gap = 0
    if (current === null || current.innermostLast !== frame.innermostLast) {
      current = { frames: [], innermostLast: frame.innermostLast }
      traces.push(current)
    }
    current.frames.push(frame)
    // `path:12: ValueError` closes a pytest trace, `path:12: in name` goes on.
    if (frame.closes) current = null
  }
  return traces
}

function readFrame (line: string): { path: string; line: number; innermostLast: boolean; closes: boolean } | null {
  const pytest = pytestFrame.exec(line)
  if (pytest) return { path: pytest[1]!, line: Number(pytest[2]), innermostLast: true, closes: /: [A-Z]\w*(?:Error|Exception|Warning|Exit)\b/.test(line) }
  const python = pythonFrame.exec(line)
  if (python) return { path: python[1]!, line: Number(python[2]), innermostLast: true, closes: false }
  const go = goFrame.exec(line)
  if (go) return { path: go[1]!, line: Number(go[2]), innermostLast: false, closes: false }
  const node = /^\s*(?:at |.*\bat )/.test(line) || /^(?:file:\/\/)?\/\S+:\d+$/.test(line) ? nodeFrame.exec(line) : null
  return node ? { path: node[1]!, line: Number(node[2]), innermostLast: false, closes: false } : null
}

function resolve (path: string, tree: string, known: ReadonlySet<string>, files: readonly string[]): string | null {
  if (path.startsWith(`${tree}/`)) {
    const relative = path.slice(tree.length + 1)
    return known.has(relative) ? relative : null
  }
  if (path.startsWith('/')) return null
  const relative = path.replace(/^(?:\.\/)+/, '')
  if (known.has(relative)) return relative
  const ends = files.filter(file => file.endsWith(`/${relative}`))
  return ends.length === 1 ? ends[0]! : null
}

/** Names that an error says are missing or wrong: where a removed definition, import or assignment shows itself. */
export function missingNames (log: string): string[] {
  const names = new Set<string>()
  for (const pattern of missing) {
    for (const match of log.matchAll(pattern)) for (const name of match.slice(1)) if (name) names.add(name)
  }
  return [...names]
}

const missing = [
  /\b([A-Za-z_$][\w$]*) is not defined/g,
  /(?:\b|\.)([A-Za-z_$][\w$]*) is not (?:a function|a constructor|iterable)/g,
  /\(reading '([A-Za-z_$][\w$]*)'\)/g,
  /name '(\w+)' is not defined/g,
  /variable '(\w+)' (?:referenced|where it is not)/g,
  /has no attribute '(\w+)'/g,
  /cannot import name '(\w+)'/g,
  /argument:? '?(\w+)'?/g,
  /undefined: (\w+)/g
]

/** Identifiers and literals of the failing tests' text, most frequent first; short literals and words of every test are left out. */
export function hintsOf (texts: readonly string[], max: number): string[] {
  const counts = new Map<string, number>()
  const count = (word: string): void => { counts.set(word, (counts.get(word) ?? 0) + 1) }
  for (const text of texts) {
    for (const match of text.matchAll(/'[^'\n]{1,40}'|"[^"\n]{1,40}"|\b\d+(?:\.\d+)?\b|[A-Za-z_$][\w$]+/g)) {
      if (!common.has(match[0])) count(match[0])
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, max).map(([word]) => word)
}

const common = new Set(('const let var function return require import from def class assert async await test describe it self t expect equal ' +
  'strictEqual deepEqual toBe toEqual ok true false null None True False undefined new for in of if else done err error plan same end not is and or as with').split(' '))
