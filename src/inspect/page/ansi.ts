// Untrusted text made fit to be shown: colours of terminals become classes, every other escape is taken out, and characters that
// hide or reorder text are named. What comes out is text in pieces; it is only ever put into the page as text.

export interface Piece { text: string; /** `fg1`, `bg4`, `bold`, …; '' for none. */ style: string }

// CSI, OSC (up to its end, which may be missing), other strings, and escapes of two or three characters.
const escapes = /\u001b\[([0-?]*)[ -/]*([@-~])|\u001b\](?:[^\u0007\u001b]*)(?:\u0007|\u001b\\|$)|\u001b[PX^_][^\u001b]*(?:\u001b\\|$)|\u001b[ -/]*[0-~]?|\u009b([0-?]*)[ -/]*([@-~])?/g

export function piecesOf (text: string): Piece[] {
  const pieces: Piece[] = []
  let style = plain
  let from = 0
  const add = (to: number): void => { if (to > from) pieces.push({ text: named(text.slice(from, to)), style: classOf(style) }) }
  for (const match of text.matchAll(escapes)) {
    add(match.index)
    from = match.index + match[0].length
    if ((match[2] ?? match[4]) === 'm') style = styled(style, match[1] ?? match[3] ?? '')
  }
  add(text.length)
  return pieces
}

interface Style { fg: number | null; bg: number | null; marks: string[] }
const plain: Style = { fg: null, bg: null, marks: [] }

function styled (style: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).slice(0, 32).map(Number)
  let now = style
  for (let index = 0; index < codes.length; index++) {
    const code = codes[index]!
    if (code === 38 || code === 48) index += codes[index + 1] === 5 ? 2 : 4
    else now = withCode(now, code)
  }
  return now
}

function withCode (style: Style, code: number): Style {
  if (code === 0) return plain
  if (code === 1) return { ...style, marks: [...new Set([...style.marks, 'bold'])] }
  if (code === 4) return { ...style, marks: [...new Set([...style.marks, 'under'])] }
  if (code === 22 || code === 24) return { ...style, marks: style.marks.filter(mark => mark !== (code === 22 ? 'bold' : 'under')) }
  if (code === 39) return { ...style, fg: null }
  if (code === 49) return { ...style, bg: null }
  if (code >= 30 && code <= 37) return { ...style, fg: code - 30 }
  if (code >= 90 && code <= 97) return { ...style, fg: code - 90 }
  if (code >= 40 && code <= 47) return { ...style, bg: code - 40 }
  return style
}

const classOf = ({ fg, bg, marks }: Style): string => [...(fg === null ? [] : [`fg${fg}`]), ...(bg === null ? [] : [`bg${bg}`]), ...marks].join(' ')

const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g

/** Characters that nobody sees, or that reorder what stands behind them, as their numbers. A carriage return at a line's end goes. */
export const named = (text: string): string =>
  text.replace(/\r+\n/g, '\n').replace(hidden, sign => `‹${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}›`)
