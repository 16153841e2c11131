// A patch as it is shown: files, hunks and lines with their numbers. It comes from a model: what is no patch is shown as it is.

export interface PatchLine { kind: 'same' | 'out' | 'in' | 'note'; text: string; before: number | null; after: number | null }
export interface Hunk { head: string; lines: PatchLine[] }
export interface PatchFile { name: string; notes: string[]; hunks: Hunk[]; added: number; removed: number }

export function readPatch (text: string): PatchFile[] {
  const files: PatchFile[] = []
  let hunk: Hunk | null = null
  let [before, after, beforeLeft, afterLeft] = [0, 0, 0, 0]
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  const file = (): PatchFile => files.at(-1) ?? startFile(files, '')
  for (const [index, line] of lines.entries()) {
    if (hunk !== null && (beforeLeft > 0 || afterLeft > 0 || line.startsWith('\\'))) {
      const sign = line[0] ?? ' '
      if (sign === '-') { hunk.lines.push({ kind: 'out', text: line.slice(1), before: before++, after: null }); beforeLeft--; file().removed++; continue }
      if (sign === '+') { hunk.lines.push({ kind: 'in', text: line.slice(1), before: null, after: after++ }); afterLeft--; file().added++; continue }
      if (sign === ' ') { hunk.lines.push({ kind: 'same', text: line.slice(1), before: before++, after: after++ }); beforeLeft--; afterLeft--; continue }
      if (sign === '\\') { hunk.lines.push({ kind: 'note', text: line.slice(2), before: null, after: null }); continue }
    }
    const head = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line)
    if (head) {
      [before, beforeLeft, after, afterLeft] = [Number(head[1]), Number(head[2] ?? 1), Number(head[3]), Number(head[4] ?? 1)]
      hunk = { head: line, lines: [] }
      file().hunks.push(hunk)
      continue
    }
    hunk = null
    const opened = /^diff --git (?:"?a\/.*?"? )"?b\/(.*?)"?$/.exec(line)
    if (opened) startFile(files, opened[1]!)
    else if (line.startsWith('--- ') && lines[index + 1]?.startsWith('+++ ')) { if (files.length === 0 || file().hunks.length > 0) startFile(files, '') } else if (line.startsWith('+++ ')) nameBy(file(), line.slice(4))
    else if (!/^index /.test(line)) file().notes.push(line)
  }
  return files
}

function startFile (files: PatchFile[], name: string): PatchFile {
  const file = { name, notes: [], hunks: [], added: 0, removed: 0 }
  files.push(file)
  return file
}

function nameBy (file: PatchFile, path: string): void {
  if (file.name === '') file.name = path.replace(/^b\//, '').replace(/\t.*$/, '')
}

/** Lines beside one another: what was taken out faces what came in its place. */
export interface Pair { left: PatchLine | null; right: PatchLine | null }

export function pairsOf (lines: PatchLine[]): Pair[] {
  const pairs: Pair[] = []
  for (let index = 0; index < lines.length;) {
    const line = lines[index]!
    if (line.kind !== 'out' && line.kind !== 'in') {
      pairs.push({ left: line, right: line })
      index++
      continue
    }
    const out = run(lines, index, 'out')
    const into = run(lines, index + out.length, 'in')
    for (let row = 0; row < Math.max(out.length, into.length); row++) pairs.push({ left: out[row] ?? null, right: into[row] ?? null })
    index += out.length + into.length
  }
  return pairs
}

function run (lines: PatchLine[], from: number, kind: PatchLine['kind']): PatchLine[] {
  let to = from
  while (lines[to]?.kind === kind) to++
  return lines.slice(from, to)
}

/** The part of two lines that differs, as [start, end of a, end of b]: all but what they begin and end with alike. */
export function changedPart (a: string, b: string): [number, number, number] {
  const most = Math.min(a.length, b.length)
  let start = 0
  while (start < most && a[start] === b[start]) start++
  let end = 0
  while (end < most - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++
  return [start, a.length - end, b.length - end]
}
