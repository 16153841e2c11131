// Untrusted text: as text only, a bounded part of it at first, and more in bounded steps.

import { useState } from 'preact/hooks'
import type { Text } from '../../protocol.ts'
import { named, piecesOf } from '../ansi.ts'
import { bytes } from '../words.ts'

export const textLimits = { charsFirst: 4_000, charsStep: 16_000, lineCharsMax: 2_000, wordCharsMax: 300 }

/** A line that is longer than it may be is broken into several: no browser likes one of a megabyte. */
const broken = (text: string): string => text.split('\n').map(line => {
  if (line.length <= textLimits.lineCharsMax) return line
  const parts = []
  for (let at = 0; at < line.length; at += textLimits.lineCharsMax) parts.push(line.slice(at, at + textLimits.lineCharsMax))
  return parts.join('⏎\n')
}).join('\n')

export function TextBlock ({ content, label, first = textLimits.charsFirst, plain = false }: { content: Text; label: string; first?: number; plain?: boolean }) {
  const [shown, setShown] = useState(first)
  const { text, cut, bytes: size } = content
  if (text === '') return <p class='muted none'>nothing</p>
  const part = broken(text.slice(0, shown))
  return (
    <div class='textblock'>
      <pre tabIndex={0} role='region' aria-label={label}>{plain ? named(part) : piecesOf(part).map(({ text, style }) => style === '' ? text : <span class={style}>{text}</span>)}</pre>
      {text.length > shown && <p class='more'><button class='quiet' onClick={() => setShown(shown + textLimits.charsStep)}>show more</button> {bytes(shown)} of {bytes(size)} shown</p>}
      {text.length <= shown && cut && <p class='more'>Its first {bytes(text.length)} of {bytes(size)}: the whole is in the folder of the run</p>}
    </div>
  )
}

/** A word or a line of untrusted text among ours. */
export const Word = ({ children }: { children: string }) => {
  const text = piecesOf(children.slice(0, 4 * textLimits.wordCharsMax)).map(({ text }) => text).join('')
  return <>{text.length > textLimits.wordCharsMax ? `${text.slice(0, textLimits.wordCharsMax)} …` : text}</>
}
