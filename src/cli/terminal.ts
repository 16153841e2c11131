// What a model wrote, on a person's terminal: never anything that the terminal would obey. Colour is put on afterwards, and
// only where somebody looks.

// Control characters but for line feed and tab (C0, DEL, C1), and marks that turn the direction of text around.
const obeyed = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

export const neutral = (text: string): string => text.replace(obeyed, '')

/** Our own colours, of diffs and of levels in a log. */
const painted = new RegExp(`(\\x1b\\[(?:0|1|3[1236]|90)m)|${obeyed.source}`, 'g')

/** Neutral, but for those: whatever a command prints passes here. */
export const printable = (text: string): string => text.replace(painted, (_, colour: string | undefined) => colour ?? '')

/** One line of JSON without a character that a terminal obeys: the value stays the same. */
export const neutralJson = (value: unknown): string => neutralText(JSON.stringify(value))

/** The same for a text that is JSON. */
export const neutralText = (json: string): string => json.replace(obeyed, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

export const wantsColour = (): boolean => process.stdout.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb'

const paint = (code: number, line: string): string => `\x1b[${code}m${line}\x1b[0m`

/** A diff, neutral, with colour or without. */
export function renderDiff (bytes: Uint8Array, colour: boolean): string {
  const lines = neutral(Buffer.from(bytes).toString('utf8').replace(/\n$/, '')).split('\n')
  return (colour ? lines.map(paintLine) : lines).join('\n')
}

function paintLine (line: string): string {
  if (/^(?:diff --git |index |(?:new|deleted|old) (?:file )?mode |rename |similarity |--- |\+\+\+ )/.test(line)) return paint(1, line)
  if (line.startsWith('@@')) return paint(36, line)
  if (line.startsWith('+')) return paint(32, line)
  return line.startsWith('-') ? paint(31, line) : line
}
