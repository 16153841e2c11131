// A patch, file by file, in one column or beside one another, with what has changed within a line marked.

import { Fragment } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import type { Text } from '../../protocol.ts'
import { named } from '../ansi.ts'
import { changedPart, pairsOf, readPatch, type Hunk, type Pair, type PatchFile, type PatchLine } from '../patch.ts'
import { bytes } from '../words.ts'
import { TextBlock } from './text.tsx'

const linesFirst = 400
const linesStep = 1000
const lineChars = 1000

/** `narrow`: its place has no room for two columns. */
export function Diff ({ content, label, narrow = false }: { content: Text; label: string; narrow?: boolean }) {
  const files = useMemo(() => readPatch(content.text), [content.text])
  const [isWide, setWide] = useState(() => !narrow && matchMedia('(min-width: 1100px)').matches)
  const [asText, setAsText] = useState(false)
  const [shown, setShown] = useState(linesFirst)
  if (content.text === '') return <p class='muted none'>An empty patch</p>
  if (asText || files.every(({ hunks }) => hunks.length === 0)) {
    return <><TextBlock content={content} label={label} />{asText && <p class='more'><button class='quiet' onClick={() => setAsText(false)}>as a diff</button></p>}</>
  }
  const all = files.reduce((sum, file) => sum + lengthOf(file), 0)
  let left = shown
  return (
    <div class='diff'>
      <p class='tools'>
        <button class='quiet' aria-pressed={isWide} onClick={() => setWide(!isWide)}>side by side</button>
        <button class='quiet' onClick={() => setAsText(true)}>as text</button>
      </p>
      {files.map((file, index) => {
        const room = left
        left -= lengthOf(file)
        return room > 0 && <File key={index} file={file} isWide={isWide} room={room} />
      })}
      {all > shown && <p class='more'><button class='quiet' onClick={() => setShown(shown + linesStep)}>show more</button> {shown} of {all} lines shown</p>}
      {content.cut && <p class='more'>Its first {bytes(content.text.length)} of {bytes(content.bytes)}: the whole is in the folder of the run</p>}
    </div>
  )
}

const lengthOf = ({ hunks }: PatchFile): number => hunks.reduce((sum, { lines }) => sum + lines.length, 0)

function File ({ file, isWide, room }: { file: PatchFile; isWide: boolean; room: number }) {
  let left = room
  return (
    <div class='file'>
      <div class='filename'><code>{named(file.name) || 'no name'}</code> <span class='good'>+{file.added}</span> <span class='bad'>−{file.removed}</span>
        {file.notes.length > 0 && <span class='muted'> {named(file.notes.filter(note => note !== '').slice(0, 4).join(' · ')).slice(0, 200)}</span>}
      </div>
      <div class='wide' tabIndex={0} role='region' aria-label={`Changes of ${file.name.slice(0, 100)}`}>
        <table class={isWide ? 'sides' : 'one'}>
          <tbody>
            {file.hunks.map((hunk, index) => {
              const part = { ...hunk, lines: hunk.lines.slice(0, Math.max(0, left)) }
              left -= hunk.lines.length
              return part.lines.length > 0 && <Fragment key={index}><tr class='hunk'><td colSpan={4}>{named(hunk.head).slice(0, 200)}</td></tr>{isWide ? <Sides hunk={part} /> : <One hunk={part} />}</Fragment>
            })}
          </tbody>
        </table>
      </div>
    </div>
  )
}

const Sides = ({ hunk }: { hunk: Hunk }) => <>{pairsOf(hunk.lines).map((pair, index) => (
  <tr key={index}><Cell line={pair.left} number={pair.left?.before ?? null} pair={pair} /><Cell line={pair.right} number={pair.right?.after ?? null} pair={pair} /></tr>
))}</>

function Cell ({ line, number, pair }: { line: PatchLine | null; number: number | null; pair: Pair }) {
  if (line === null) return <><td class='number void' /><td class='void' /></>
  return <><td class={`number ${line.kind}`}>{number}</td><td class={line.kind}><Line line={line} pair={pair} /></td></>
}

const signs = { same: ' ', out: '−', in: '+', note: '' }

const One = ({ hunk }: { hunk: Hunk }) => <>{pairsOf(hunk.lines).reduce<[PatchLine, Pair][][]>(grouped, []).flat().map(([line, pair], index) => (
  <tr key={index}><td class={`number ${line.kind}`}>{line.before}</td><td class={`number ${line.kind}`}>{line.after}</td><td class={`sign ${line.kind}`}>{signs[line.kind]}</td><td class={line.kind}><Line line={line} pair={pair} /></td></tr>
))}</>

/** In one column what was taken out stands before what came in its place. */
function grouped (groups: [PatchLine, Pair][][], pair: Pair): [PatchLine, Pair][][] {
  const { left, right } = pair
  if (left === right && left !== null) return [...groups, [[left, pair]], []]
  const group = groups.at(-1) ?? []
  const entries: [PatchLine, Pair][] = [...(left ? [[left, pair] as [PatchLine, Pair]] : []), ...(right ? [[right, pair] as [PatchLine, Pair]] : [])]
  const merged = [...group, ...entries].sort(([a], [b]) => Number(a.kind === 'in') - Number(b.kind === 'in'))
  return [...groups.slice(0, -1), merged]
}

function Line ({ line, pair: { left, right } }: { line: PatchLine; pair: Pair }) {
  const text = line.text.slice(0, lineChars)
  const more = line.text.length > lineChars ? <span class='muted'> … {line.text.length - lineChars} more characters</span> : null
  if (left === null || right === null || left === right) return <>{named(text)}{more}</>
  const [start, leftEnd, rightEnd] = changedPart(left.text, right.text)
  const end = line === left ? leftEnd : rightEnd
  if (start === 0 && end === line.text.length) return <>{named(text)}{more}</>
  return <>{named(text.slice(0, start))}<mark>{named(text.slice(start, end))}</mark>{named(text.slice(end))}{more}</>
}
