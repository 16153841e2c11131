// The tree as a program sees it through its tools. What is read comes back packed (gzip, base64), since a result is cut
// at a limit and its length is paid from the token budget. What does not fit: a file that is not UTF-8, or longer than
// `fileBytesMax`, reads as null and is never edited.

import { gunzipSync } from 'node:zlib'
import type { Observation, RolloutTask } from '../../domain.ts'
import { SparError } from '../../errors.ts'
import { shellQuote } from '../../quote.ts'
import type { TreeReader } from '../../arena/runners/types.ts'
import { act, bash, type Play, type Step } from './session.ts'
import { smallestEdit } from './smallest-edit.ts'

export const treeLimits = {
  /** Longest file that is read; longer ones are data or bundles. */
  fileBytesMax: 400_000,
  /** Bytes of packed text in one result: below the cut of the tools. */
  resultBytesMax: 98_304,
  /** Bytes that a packed result may unfold to. */
  unpackedBytesMax: 64 * 1024 * 1024,
  /** Files that a single command asks for, so that the command stays short. */
  filesPerCommand: 200
}

export interface ToolTree {
  readonly task: RolloutTask
  /** Files of the tree that git tracks (all files where there is no git), sorted. Asked once. */
  list (): Play<string[]>
  /** Texts by path, null for what is missing, not UTF-8 or too long. Read once and remembered until `forget`. */
  read (paths: readonly string[], why?: string): Play<Map<string, string | null>>
  /** Runs a command from the root of the tree. */
  run (text: string, command: string): Play<Observation>
  /** Like `run`; answers with what the command printed, whole, however long it is. */
  output (text: string, command: string): Play<{ exitCode: number | null; output: Buffer }>
  /** Makes the file's text `next` by the smallest edit, or by creating the file anew. */
  write (path: string, next: string, text: string): Play<Observation>
  /** Runs asynchronous code that wants a TreeReader, and answers its reads through the tools. `only`: the files that it is told of. */
  withReader<T> (work: (reader: TreeReader) => Promise<T>, only?: readonly string[]): Play<T>
  /** What the budget still holds, as of the last observation. */
  turnsLeft (): number
  tokensLeft (): number
  /** Texts are read again: the files changed behind this object's back. */
  forget (paths?: Iterable<string>): void
}

export function toolTree (task: RolloutTask): ToolTree {
  const texts = new Map<string, string | null>()
  let files: string[] | null = null
  const left = { turns: task.turnsMax, tokens: task.tokensMax }
  const root = `cd ${shellQuote(task.tree)} && `
  async function * watched<T> (play: Play<T>): Play<T> {
    for (let step = await play.next(); ;) {
      if (step.done) return step.value
      const observation = yield step.value
      left.turns = observation.turnsLeft
      left.tokens = observation.tokensLeft
      step = await play.next(observation)
    }
  }
  const run = (text: string, command: string): Play<Observation> => watched(bash(text, root + command))
  const output = (text: string, command: string): ReturnType<ToolTree['output']> => watched(packedOutput(task, text, root + command))

  async function * list (): Play<string[]> {
    files ??= splitNul((yield * output('I look at which files the repository holds.', listCommand)).output)
    return files
  }

  async function * read (paths: readonly string[], why = 'I read the files that matter.'): Play<Map<string, string | null>> {
    const missing = [...new Set(paths)].filter(path => !texts.has(path))
    for (let at = 0; at < missing.length; at += treeLimits.filesPerCommand) {
      const part = missing.slice(at, at + treeLimits.filesPerCommand)
      const { output: packed } = yield * output(why, readCommand(part))
      const found = unpackFiles(packed)
      for (const path of part) texts.set(path, found.get(path) ?? null)
    }
    return new Map(paths.map(path => [path, texts.get(path) ?? null]))
  }

  async function * write (path: string, next: string, text: string): Play<Observation> {
    const before = (yield * read([path])).get(path) ?? null
    const edit = before === null ? null : smallestEdit(before, next)
    const observation = yield * watched(act(text, edit === null ? { tool: 'create', path, content: next } : { tool: 'edit', path, ...edit }))
    if (observation.exitCode === 0) texts.set(path, next)
    else texts.delete(path)
    return observation
  }

  return {
    task,
    list,
    read,
    run,
    output,
    write,
    turnsLeft: () => left.turns,
    tokensLeft: () => left.tokens,
    withReader: (work, only) => withReader({ list: only === undefined ? list : () => given([...only]), read }, work),
    forget (paths) {
      if (paths === undefined) texts.clear()
      else for (const path of paths) texts.delete(path)
    }
  }
}

const listCommand = '{ git ls-files -z 2>/dev/null || find . -type f -not -path "*/.git/*" -not -path "*/node_modules/*" -printf "%P\\0"; } | sort -zu'

const splitNul = (bytes: Buffer): string[] => bytes.toString('utf8').split('\0').filter(path => path !== '')

/** Prints, for every file that is there and not too long, its length, its name and its bytes. */
function readCommand (paths: readonly string[]): string {
  return `for f in ${paths.map(shellQuote).join(' ')}; do ` +
    `[ -f "$f" ] && [ ! -L "$f" ] && n=$(wc -c < "$f") && [ "$n" -le ${treeLimits.fileBytesMax} ] && printf '%d %s\\0' "$n" "$f" && cat "$f"; done; true`
}

export function unpackFiles (bytes: Buffer): Map<string, string> {
  const found = new Map<string, string>()
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  for (let at = 0; at < bytes.length;) {
    const nul = bytes.indexOf(0, at)
    if (nul === -1) break
    const [, length = '0', path = ''] = /^(\d+) ([^]*)$/.exec(bytes.toString('utf8', at, nul)) ?? []
    at = nul + 1 + Number(length)
    try {
      found.set(path, decoder.decode(bytes.subarray(nul + 1, at)))
    } catch {} // not UTF-8: reads as null
  }
  return found
}

/** Runs a command and brings its whole output back: packed into a file of the scratch folder, read in as many parts as it takes. */
async function * packedOutput (task: RolloutTask, text: string, command: string): ReturnType<ToolTree['output']> {
  const file = shellQuote(`${task.scratch}/output.packed`)
  const part = (from: number): string => `tail -c +${from + 1} ${file} | head -c ${treeLimits.resultBytesMax}`
  const first = yield * bash(text, `mkdir -p ${shellQuote(task.scratch)}; ( ${command}\n) 2>/dev/null | gzip -9 | base64 | tr -d '\\n' > ${file}; ` +
    `echo "\${PIPESTATUS[0]} $(wc -c < ${file})"; ${part(0)}`)
  const [, code = '', length = '', head = ''] = /^(\d+) +(\d+)\n([^]*)$/.exec(first.text) ?? []
  if (length === '') return { exitCode: null, output: Buffer.alloc(0) }
  const parts = [head.slice(0, Number(length))]
  for (let at = treeLimits.resultBytesMax; at < Number(length); at += treeLimits.resultBytesMax) {
    const more = yield * bash('I read on where the result was cut.', part(at))
    parts.push(more.text.slice(0, Math.min(treeLimits.resultBytesMax, Number(length) - at)))
  }
  return { exitCode: Number(code), output: unpack(parts.join('')) }
}

function unpack (packed: string): Buffer {
  try {
    return gunzipSync(Buffer.from(packed, 'base64'), { maxOutputLength: treeLimits.unpackedBytesMax })
  } catch (error) {
    throw new SparError('POLICY_UNREADABLE', 'Cannot unpack what a command of the procedural policy printed', { cause: error })
  }
}

// eslint-disable-next-line require-yield
async function * given<T> (value: T): Play<T> {
  return value
}

/** Reads that are asked for at the same time are answered by one command. */
async function * withReader<T> (tree: Pick<ToolTree, 'list' | 'read'>, work: (reader: TreeReader) => Promise<T>): Play<T> {
  const wanted: { path: string | null; answer: (value: unknown) => void }[] = []
  let wake = (): void => {}
  const ask = (path: string | null): Promise<unknown> => new Promise(resolve => { wanted.push({ path, answer: resolve }); wake() })
  const reader: TreeReader = {
    list: async () => await ask(null) as string[],
    read: async path => await ask(path) as string | null
  }
  let ended = false
  const result = work(reader).finally(() => { ended = true; wake() })
  result.catch(() => {})
  while (!ended || wanted.length > 0) {
    if (wanted.length === 0) await new Promise<void>(resolve => { wake = resolve; if (ended) resolve() })
    await new Promise(resolve => setImmediate(resolve)) // lets every concurrent read ask first
    yield * answerAll(tree, wanted.splice(0))
  }
  return await result
}

async function * answerAll (
  tree: Pick<ToolTree, 'list' | 'read'>, asked: { path: string | null; answer: (value: unknown) => void }[]
): AsyncGenerator<Step, void, Observation> {
  const paths = asked.flatMap(({ path }) => path === null ? [] : [path])
  const texts = paths.length > 0 ? yield * tree.read(paths) : new Map<string, string | null>()
  for (const { path, answer } of asked) answer(path === null ? yield * tree.list() : texts.get(path) ?? null)
  await new Promise(resolve => setImmediate(resolve))
}
