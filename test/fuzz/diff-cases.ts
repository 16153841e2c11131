// Cases for the fuzzer of patches: a tree, a patch that changes it in every way git knows, and then, in most cases,
// something that goes wrong: the tree has moved on, hunks are cut, permuted or counted wrongly, lines and bytes mangled.

import { blobId } from '../../src/workers/blob-id.ts'
import type { TreeFile } from '../../src/workers/diff/tree.ts'
import type { Random } from '../../src/ports.ts'
import { binaryOf } from './diff-binary.ts'
import { mangle } from './diff-mangle.ts'
import { edited, editsOf, hunksOf, lineOf, splitLines, textOf } from './diff-text.ts'

type Tree = Map<string, TreeFile>

export interface DiffCase {
  tree: Tree
  patch: Buffer
  reverse: boolean
  /** Nothing was mangled, and the tree is the one the patch was made for. */
  clean: boolean
}

const names = ['a', 'b', 'c.txt', 'd/e', 'd/f', 'd/g/h', 'd/g/i', 'with space', 'd/ b/x', 'x b/x', 'tab\tx', 'q"t', 'back\\slash', 'ü', 'new\nline', 'cr\rx', 'é/ä ö', '-dash', 'a.b', 'D/E', 'l', 'l/x', 'm/n', ' lead', 'trail ', 'git', '.gitx', 'raw\udcff']
const targets = ['a', 'd', '../a', 'nowhere', 'l', 'd/g', 'x y', 'm']

const bin = (path: string): string => [...path].map(char => /[\udc80-\udcff]/.test(char) && char.length === 1 ? String.fromCharCode(char.charCodeAt(0) - 0xdc00) : Buffer.from(char).toString('latin1')).join('')
const bytesOf = (lines: readonly string[]): Buffer => Buffer.from(lines.join(''), 'latin1')
const linesOf = (file: TreeFile): string[] => splitLines(Buffer.from(file.bytes).toString('latin1'))

/** Whether the path may be added: no file is a folder of another. */
const fits = (tree: Tree, path: string): boolean => ![...tree.keys()].some(other => other === path || other.startsWith(`${path}/`) || path.startsWith(`${other}/`))

const modeOf = (random: Random): '100644' | '100755' => random.next() < 0.8 ? '100644' : '100755'
const binaryBytes = (random: Random): Buffer => Buffer.from(Array.from({ length: random.int(120) }, () => random.int(3) === 0 ? 0 : random.int(256)))

function fileOf (random: Random): TreeFile {
  const kind = random.next()
  if (kind < 0.08) return { mode: '120000', bytes: Buffer.from(random.pick(targets)) }
  return { mode: modeOf(random), bytes: kind < 0.18 ? binaryBytes(random) : bytesOf(textOf(random, random.next() < 0.1 ? 200 : 24)) }
}

/** Paths that git lets no patch write, some of them on some file systems only, and some that merely look like it. */
const unsafe = ['.git/x', '.GIT/x', 'd/.git', 'git~1/x', 'GIT~1', '.git.', '.git ', '.git::$DATA', 'd\\.git\\x', 'a\\git~1', '.gitx', 'git~2', '.gitmodules', '.GITMODULES', 'd\\.gitmodules', 'gitmod~1', 'gi7eba~1', 'gi7eb~10', '../x', 'd/../x', '/etc/x', './x', 'd/./x', 'd/', '..', '.', 'd/..', '...', 'x'.repeat(256), 'x'.repeat(200), 'ü'.repeat(128)]

function treeOf (random: Random): Tree {
  const tree: Tree = new Map()
  for (let left = 1 + random.int(6); left > 0; left--) {
    const path = random.pick(names)
    if (fits(tree, path)) tree.set(path, fileOf(random))
  }
  return tree
}

// ---- sections -------------------------------------------------------------------------------------------------------

function quoted (random: Random, binary: string): string {
  if (!/["\\\x00-\x1f\x7f-\xff]/.test(binary) && random.next() < 0.97) return binary
  if (random.next() < 0.05) return binary
  const letters: Record<string, string> = { '"': '\\"', '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }
  return `"${binary.replace(/["\\\x00-\x1f\x7f-\xff]/g, char => letters[char] ?? `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)}"`
}

interface Side { path: string; file: TreeFile }

class Writer {
  readonly before: Tree
  readonly after: Tree
  private readonly random: Random
  private readonly prefixes: [string, string]
  private readonly context: number
  sections: string[] = []

  constructor (random: Random, tree: Tree) {
    this.random = random
    this.before = tree
    this.after = new Map(tree)
    this.prefixes = random.pick<[string, string]>([['a/', 'b/'], ['a/', 'b/'], ['a/', 'b/'], ['a/', 'b/'], ['old/', 'new/'], ['x/', 'x/'], ['i/', 'w/']])
    this.context = random.pick([3, 3, 3, 1, 2, 0, 8])
  }

  write (kind: string): void {
    const { random, after } = this
    const path = random.pick([...after.keys(), 'a'])
    const file = after.get(path)
    const fresh = random.pick(names)
    const free = fits(after, fresh) ? fresh : null
    const changed = file && this.changed(file)
    if (kind === 'modify' && file) this.change({ path, file }, { path, file: changed! })
    else if (kind === 'mode' && file && file.mode !== '120000') this.change({ path, file }, { path, file: { mode: file.mode === '100644' ? '100755' : '100644', bytes: random.next() < 0.5 ? file.bytes : changed!.bytes } })
    else if (kind === 'add' && free) this.change(null, { path: free, file: fileOf(random) })
    else if (kind === 'delete' && file) this.change({ path, file }, null)
    else if ((kind === 'rename' || kind === 'copy') && file && free) this.move(kind, path, free, random.next() < 0.5 ? file : changed!)
    else if (kind === 'swap' && after.size > 1) this.swap()
    else if (kind === 'unsafe') this.change(null, { path: random.pick(unsafe), file: fileOf(random) })
    else if (kind === 'folder') this.folder()
    else if (kind === 'link') this.link()
    else if (kind === 'type' && file) {
      this.change({ path, file }, null)
      this.change(null, { path, file: { mode: file.mode === '120000' ? '100644' : '120000', bytes: Buffer.from(random.pick(targets)) } })
    }
  }

  private changed (file: TreeFile): TreeFile {
    const { random } = this
    if (file.mode === '120000') return { mode: '120000', bytes: Buffer.from(random.pick(targets)) }
    if (file.bytes.includes(0) && random.next() < 0.6) return { ...file, bytes: Buffer.concat([file.bytes, binaryBytes(random)]) }
    const lines = linesOf(file)
    return { ...file, bytes: bytesOf(edited(lines, editsOf(random, lines))) }
  }

  /** A folder gives way to a file, or a file to a folder. */
  private folder (): void {
    const inside = [...this.after.keys()].filter(path => path.includes('/'))
    const top = inside.length > 0 ? this.random.pick(inside).split('/')[0]! : null
    const [file] = [...this.after.keys()].filter(path => !path.includes('/'))
    if (top !== null && this.random.next() < 0.5) {
      for (const path of inside) if (path.startsWith(`${top}/`) && this.random.next() < 0.9) this.change({ path, file: this.after.get(path)! }, null)
      this.change(null, { path: top, file: fileOf(this.random) })
    } else if (file !== undefined) {
      if (this.random.next() < 0.9) this.change({ path: file, file: this.after.get(file)! }, null)
      this.change(null, { path: `${file}/x`, file: fileOf(this.random) })
    }
    if (this.random.next() < 0.2) this.sections.reverse()
  }

  /** A link comes, goes or stays, and something is done to a path below it. */
  private link (): void {
    const { random } = this
    const path = [...this.after].find(([, file]) => file.mode === '120000')?.[0] ?? 'm'
    const file: TreeFile = this.after.get(path) ?? { mode: '120000', bytes: Buffer.from(random.pick(targets)) }
    const kind = random.int(4)
    if (kind === 0) this.change(this.after.has(path) ? { path, file } : null, { path, file: { mode: '120000', bytes: Buffer.from(random.pick(targets)) } })
    if (kind === 1 && this.after.has(path)) this.change({ path, file }, null)
    if (kind === 2 && this.after.has(path)) this.move('rename', path, 'moved', file)
    const below = `${random.pick([path, path, 'moved'])}/${random.pick(['x', 'a', 'e', 'n'])}`
    if (random.next() < 0.7) this.change(null, { path: below, file: fileOf(random) })
    else this.change({ path: below, file: { mode: '100644', bytes: bytesOf(textOf(random)) } }, random.next() < 0.5 ? null : { path: below, file: { mode: '100644', bytes: bytesOf(textOf(random)) } })
    if (random.next() < 0.3) this.sections.reverse()
  }

  private swap (): void {
    const [one, two, three] = this.random.shuffle([...this.before.keys()].filter(path => this.after.get(path) === this.before.get(path)))
    if (one === undefined || two === undefined) return
    const ring = three !== undefined && this.random.next() < 0.4 ? [one, two, three] : [one, two]
    const files = ring.map(path => this.before.get(path)!)
    ring.forEach((path, at) => { this.sections.push(this.moved('rename', path, ring[(at + 1) % ring.length]!, files[at]!, files[at]!)) })
    ring.forEach((_, at) => { this.after.set(ring[(at + 1) % ring.length]!, files[at]!) })
  }

  private move (kind: 'rename' | 'copy', from: string, to: string, file: TreeFile): void {
    this.sections.push(this.moved(kind, from, to, this.after.get(from)!, file))
    if (kind === 'rename') this.after.delete(from)
    this.after.set(to, file)
  }

  private moved (kind: 'rename' | 'copy', from: string, to: string, old: TreeFile, neu: TreeFile): string {
    const q = (path: string): string => quoted(this.random, bin(path))
    const mode = old.mode === neu.mode ? '' : `old mode ${old.mode}\nnew mode ${neu.mode}\n`
    return `diff --git ${this.sided(0, from)} ${this.sided(1, to)}\n${mode}similarity index 90%\n${kind} from ${q(from)}\n${kind} to ${q(to)}\n${this.body({ path: from, file: old }, { path: to, file: neu })}`
  }

  private sided (side: 0 | 1, path: string): string {
    return quoted(this.random, this.prefixes[side] + bin(path))
  }

  private change (old: Side | null, neu: Side | null): void {
    const { random } = this
    const path = (neu ?? old)!.path
    if (old) this.after.delete(old.path)
    if (neu) this.after.set(neu.path, neu.file)
    const other = random.next() < 0.12 && (neu ?? old)!.file.mode === '100644' && !this.isBinary(old, neu)
    if (other) {
      this.sections.push(this.foreign(path, old, neu))
      return
    }
    const mode = old === null ? `new file mode ${neu!.file.mode}\n` : neu === null ? `deleted file mode ${old.file.mode}\n` : old.file.mode === neu.file.mode ? '' : `old mode ${old.file.mode}\nnew mode ${neu.file.mode}\n`
    this.sections.push(`diff --git ${this.sided(0, path)} ${this.sided(1, path)}\n${mode}${this.body(old, neu)}`)
  }

  private isBinary (old: Side | null, neu: Side | null): boolean {
    return [old, neu].some(side => side?.file.bytes.includes(0)) && this.random.next() < 0.9
  }

  /** Everything behind the modes and names of git's own header. */
  private body (old: Side | null, neu: Side | null): string {
    const { random } = this
    const [before, after] = [old?.file.bytes ?? Buffer.alloc(0), neu?.file.bytes ?? Buffer.alloc(0)]
    if (Buffer.compare(before, after) === 0) return random.next() < 0.3 && old === null ? 'index 0000000..e69de29\n' : ''
    const ids = [old ? blobId(before) : '0'.repeat(40), neu ? blobId(after) : '0'.repeat(40)]
    const binary = this.isBinary(old, neu)
    const size = binary && random.next() < 0.95 ? 40 : 7
    const index = binary || random.next() < 0.7 ? `index ${ids[0]!.slice(0, size)}..${ids[1]!.slice(0, size)}${old && neu && old.file.mode === neu.file.mode ? ` ${neu.file.mode}` : ''}\n` : ''
    if (binary) return index + (random.next() < 0.95 ? binaryOf(random, Buffer.from(before), Buffer.from(after)) : 'Binary files differ\n')
    return `${index}--- ${old ? this.tabbed(this.sided(0, old.path)) : '/dev/null'}\n+++ ${neu ? this.tabbed(this.sided(1, neu.path)) : '/dev/null'}\n${this.hunks(before, after).join('')}`
  }

  private tabbed (name: string): string {
    return name.includes(' ') && !name.startsWith('"') ? `${name}\t` : name
  }

  private hunks (before: Uint8Array, after: Uint8Array): string[] {
    const [old, neu] = [before, after].map(bytes => splitLines(Buffer.from(bytes).toString('latin1'))) as [string[], string[]]
    let head = 0
    while (head < old.length && head < neu.length && old[head] === neu[head]) head++
    let tail = 0
    while (tail < old.length - head && tail < neu.length - head && old.at(-1 - tail) === neu.at(-1 - tail)) tail++
    // What is the same in the middle becomes context: greedy, so that one file has several hunks.
    const edits = []
    let [at, from] = [head, head]
    while (at < old.length - tail || from < neu.length - tail) {
      const middle = neu.slice(from, neu.length - tail)
      let next = at
      let same = -1
      for (; next < old.length - tail && (same = middle.indexOf(old[next]!)) === -1; next++);
      if (next >= old.length - tail) same = middle.length
      if (next > at || same > 0) edits.push({ at, removed: next - at, added: middle.slice(0, same) })
      at = next
      from += same
      if (at < old.length - tail) { at++; from++ }
    }
    return hunksOf(this.random, old, edits, this.context)
  }

  /** diff -u, svn, with dates or without. */
  private foreign (path: string, old: Side | null, neu: Side | null): string {
    const { random } = this
    const epoch = '\t1970-01-01 00:00:00.000000000 +0000'
    const now = random.pick(['', '\t2020-01-02 03:04:05.000000000 +0100', '\t(revision 3)', '\t(working copy)', ' 2020-01-02 03:04:05', '\t2020-01-02 03:04:05 +01:00'])
    const head = random.pick(['', `Index: ${bin(path)}\n${'='.repeat(67)}\n`, `diff -u old/x new/x\n`, 'Only in x: y\n'])
    const side = (file: Side | null, at: 0 | 1): string => file ? this.sided(at, path) + now : random.pick(['/dev/null', `/dev/null${epoch}`, this.sided(at, path) + epoch, this.sided(at, path) + now])
    const hunks = this.hunks(old?.file.bytes ?? Buffer.alloc(0), neu?.file.bytes ?? Buffer.alloc(0))
    return `${head}--- ${side(old, 0)}\n+++ ${side(neu, 1)}\n${hunks.join('')}`
  }
}

const kinds = ['modify', 'modify', 'modify', 'modify', 'modify', 'modify', 'mode', 'add', 'add', 'delete', 'rename', 'copy', 'swap', 'type', 'folder', 'link', 'unsafe']

// ---- the case -------------------------------------------------------------------------------------------------------

export function diffCase (random: Random): DiffCase {
  const tree = treeOf(random)
  const writer = new Writer(random, tree)
  for (let left = 1 + random.int(4); left > 0 || (writer.sections.length === 0 && left > -20); left--) writer.write(random.pick(kinds))
  const reverse = random.next() < 0.4
  const given = possible(reverse ? writer.after : writer.before)
  const wrong = random.next()
  const sections = wrong < 0.5 ? writer.sections : mangle(random, writer.sections)
  if (wrong > 0.25 && wrong < 0.75) drift(random, given)
  const comment = random.next() < 0.1 ? 'From: somebody\n---\n a | 2 +-\n\n' : ''
  return { tree: given, patch: Buffer.from(comment + sections.join(''), 'latin1'), reverse, clean: wrong <= 0.25 }
}

/** What a disk can hold: a patch may ask for more. */
function possible (tree: Tree): Tree {
  const held: Tree = new Map()
  for (const [path, file] of tree) {
    const parts = path.split('/')
    if (parts.every(part => !['', '.', '..'].includes(part) && Buffer.byteLength(part) < 250) && fits(held, path)) held.set(path, file)
  }
  return held
}

/** The tree has moved on: lines come and go, files too, bits flip. */
function drift (random: Random, tree: Tree): void {
  for (const [path, file] of [...tree]) {
    const kind = random.next()
    if (kind < 0.04) tree.delete(path)
    else if (kind < 0.08) tree.set(path, fileOf(random))
    else if (kind < 0.14 && file.mode !== '120000') tree.set(path, { ...file, mode: file.mode === '100644' ? '100755' : '100644' })
    else if (kind < 0.6 && file.mode !== '120000') {
      const lines = linesOf(file)
      const at = random.int(lines.length + 1)
      const moved = random.next() < 0.7
        ? [...lines.slice(0, at), ...Array.from({ length: 1 + random.int(5) }, () => random.next() < 0.4 && lines.length > 0 ? random.pick(lines) : lineOf(random)), ...lines.slice(at)]
        : [...lines.slice(0, at), ...lines.slice(at + 1 + random.int(2))]
      tree.set(path, { ...file, bytes: bytesOf(moved) })
    }
  }
  const path = random.pick(names)
  if (random.next() < 0.15 && fits(tree, path)) tree.set(path, fileOf(random))
}
