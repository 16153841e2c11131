// Trees in memory, and what git makes of them: patches applied, the id of a commit, the diff against it. A tree never changes;
// whoever writes makes another one. What was worked out once for a tree is kept with it, since many bugs, runs and attempts
// come by the same trees.

import { createHash } from 'node:crypto'
import { SparError } from '../errors.ts'
import { applyPatch, diffLines, type Tree, type TreeFile } from '../workers/diff/index.ts'

/** Of one kind of answers, at most: past it all are forgotten, and worked out again. */
const keptMax = 256

/** Answers to questions, worked out once. */
export function remembered<Answer> (work: (question: string) => Answer): (question: string) => Answer {
  const answers = new Map<string, Answer>()
  return question => {
    const found = answers.get(question)
    if (found !== undefined) return found
    const answer = work(question)
    if (answers.size >= keptMax) answers.clear()
    answers.set(question, answer)
    return answer
  }
}

/** Answers to questions about a thing that never changes, kept as long as the thing is. */
export function perThing<Thing extends object, Answer> (work: (thing: Thing, question: string) => Answer): (thing: Thing, question: string) => Answer {
  const known = new WeakMap<Thing, (question: string) => Answer>()
  return (thing, question) => {
    let answers = known.get(thing)
    // A WeakMap lets go of a thing that only its own answers hold.
    if (answers === undefined) known.set(thing, answers = remembered(question => work(thing, question)))
    return answers(question)
  }
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')

const applyText = perThing((tree: Tree, patch): { tree: Tree } | { refused: SparError } => {
  try {
    return { tree: applyPatch(Buffer.from(patch, 'latin1'), tree) }
  } catch (error) {
    if (error instanceof SparError) return { refused: error }
    throw error
  }
})

/** The tree with a patch on top, or why it does not apply. */
export const patched = (tree: Tree, patch: Uint8Array): { tree: Tree } | { refused: SparError } => applyText(tree, textOf(patch))

const overlays = new WeakMap<object, WeakMap<Tree, Tree>>()

/** The tree with these files in the place of its own; `files` is known by its identity. */
export function overlaid (tree: Tree, files: readonly (readonly [string, TreeFile])[]): Tree {
  const known = overlays.get(files) ?? new WeakMap<Tree, Tree>()
  overlays.set(files, known)
  const made = known.get(tree) ?? new Map([...tree, ...files])
  known.set(tree, made)
  return made
}

/** The tree with this file in the place of what stood there. */
export const written = (tree: Tree, path: string, file: TreeFile): Tree => new Map(tree).set(path, file)

export const isFolder = (tree: Tree, path: string): boolean => [...tree.keys()].some(name => name.startsWith(`${path}/`))

// ---- git ------------------------------------------------------------------------------------------------------------

const objectId = (kind: string, body: Uint8Array): Buffer => createHash('sha1').update(`${kind} ${body.length}\0`).update(body).digest()

interface Folder { files: Map<string, TreeFile>; folders: Map<string, Folder> }
const newFolder = (): Folder => ({ files: new Map(), folders: new Map() })

function foldersOf (tree: Tree): Folder {
  const root = newFolder()
  for (const [path, file] of tree) {
    const parts = path.split('/')
    let at = root
    for (const part of parts.slice(0, -1)) {
      if (!at.folders.has(part)) at.folders.set(part, newFolder())
      at = at.folders.get(part)!
    }
    at.files.set(parts.at(-1)!, file)
  }
  return root
}

/** Git sorts a folder as if its name ended in a slash. */
function treeId ({ files, folders }: Folder): Buffer {
  const entries = [
    ...[...files].map(([name, { mode, bytes }]) => ({ order: Buffer.from(name), head: `${mode} ${name}\0`, id: objectId('blob', bytes) })),
    ...[...folders].map(([name, folder]) => ({ order: Buffer.from(`${name}/`), head: `40000 ${name}\0`, id: treeId(folder) }))
  ].sort((one, other) => Buffer.compare(one.order, other.order))
  return objectId('tree', Buffer.concat(entries.flatMap(({ head, id }) => [Buffer.from(head), id])))
}

const commitSeconds = Date.UTC(2000, 0, 1) / 1000
const person = `spar <spar@localhost> ${commitSeconds} +0000`

/** Of the one commit that a solver's tree has: the same as git's own (src/verify/solver-tree.ts). */
export const commitOf = perThing((tree: Tree, message) =>
  objectId('commit', Buffer.from(`tree ${treeId(foldersOf(tree)).toString('hex')}\nauthor ${person}\ncommitter ${person}\n\n${message}`)).toString('hex'))

const nothing = new Uint8Array(0)

/** `git diff` between two trees, as an attempt is taken. */
export function diffTrees (before: Tree, after: Tree): Uint8Array {
  const paths = [...new Set([...before.keys(), ...after.keys()])].filter(path => before.get(path) !== after.get(path)).sort()
  return Buffer.concat(paths.map(path => {
    const [old, young] = [before.get(path), after.get(path)]
    return old?.mode === '100644' && young?.mode === '100644' ? changedFile(old, `${path}\0${textOf(young.bytes)}`) : diffFile(path, old, young)
  }))
}

/** Solvers come by the same repairs. */
const changedFile = perThing((before: TreeFile, pathAndText): Uint8Array => {
  const at = pathAndText.indexOf('\0')
  return diffFile(pathAndText.slice(0, at), before, { mode: '100644', bytes: Buffer.from(pathAndText.slice(at + 1), 'latin1') })
})

function diffFile (path: string, before: TreeFile | undefined, after: TreeFile | undefined): Uint8Array {
  const bytes = diffLines(before?.bytes ?? nothing, after?.bytes ?? nothing, { path, beforeMode: before?.mode ?? null, afterMode: after?.mode ?? null })
  return before === undefined ? bytes : withFunctions(bytes, before.bytes)
}

/** Git names the function around a hunk behind its second @@: without attributes, the last line before it that begins with a letter. */
function withFunctions (patch: Uint8Array, before: Uint8Array): Uint8Array {
  const lines = textOf(before).split('\n')
  const named = textOf(patch).replace(/^@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@$/gm, (head, start: string) => {
    const name = lines.slice(0, Math.max(0, Number(start) - 1)).findLast(line => /^[A-Za-z_$]/.test(line))
    return name === undefined ? head : `${head} ${name.slice(0, 80).trimEnd()}`
  })
  return Buffer.from(named, 'latin1')
}
