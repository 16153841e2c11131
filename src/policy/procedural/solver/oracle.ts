// The oracle patch as the solver reads it: which test files it touches and what it puts back. A git diff; quoted paths
// (git's C style) are understood, binary parts only count as touched.

export interface OracleFile {
  /** Path after the patch, relative to the root of the tree. */
  path: string
  /** True when the patch takes the file away. */
  deleted: boolean
  /** Lines that the patch puts back. */
  added: string[]
}

export function readOracle (patch: string): OracleFile[] {
  const files: OracleFile[] = []
  for (const section of patch.split(/^(?=diff --git )/m)) {
    if (!section.startsWith('diff --git ')) continue
    const file = readSection(section.split('\n'))
    if (file !== null) files.push(file)
  }
  return files
}

function readSection (lines: readonly string[]): OracleFile | null {
  const hunksFrom = lines.findIndex(line => line.startsWith('@@'))
  const header = hunksFrom === -1 ? lines : lines.slice(0, hunksFrom)
  const after = header.find(line => line.startsWith('+++ '))?.slice(4)
  const before = header.find(line => line.startsWith('--- '))?.slice(4)
  const renamed = header.find(line => line.startsWith('rename to '))?.slice(10)
  const deleted = after?.trimEnd() === '/dev/null'
  const path = renamed !== undefined
    ? unquote(renamed)
    : strip(deleted ? before : after) ?? fromFirstLine(lines[0] ?? '')
  if (path === null) return null
  const body = hunksFrom === -1 ? [] : lines.slice(hunksFrom)
  return { path, deleted, added: body.filter(line => line.startsWith('+')).map(line => line.slice(1)) }
}

function strip (name: string | undefined): string | null {
  if (name === undefined) return null
  const path = unquote(name.replace(/[\t\r]+$/, ''))
  return /^[ab]\//.test(path) ? path.slice(2) : null
}

/** A section without `---` and `+++` (mode change, binary, empty file): both names are the same, so the line halves. */
function fromFirstLine (line: string): string | null {
  const names = line.slice('diff --git '.length).trimEnd()
  if (names.startsWith('"')) return strip(/^"(?:[^"\\]|\\.)*"/.exec(names)?.[0])
  const half = names.slice(0, (names.length - 1) / 2)
  return names === `${half} b/${half.slice(2)}` ? strip(half) : null
}

function unquote (name: string): string {
  if (!name.startsWith('"')) return name
  const bytes: number[] = []
  const inner = name.slice(1, name.lastIndexOf('"'))
  for (let at = 0; at < inner.length; at++) {
    if (inner[at] !== '\\') { bytes.push(...Buffer.from(inner[at]!)); continue }
    const octal = /^[0-7]{3}/.exec(inner.slice(at + 1))
    if (octal) { bytes.push(Number.parseInt(octal[0], 8)); at += 3; continue }
    at++
    bytes.push(...Buffer.from(escapes[inner[at]!] ?? inner[at] ?? ''))
  }
  return Buffer.from(bytes).toString('utf8')
}

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' }
