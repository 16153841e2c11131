// Names as git writes them in diffs: plain, or C-quoted between double quotes with octal escapes for bytes beyond ASCII.

const letters = new Map(Object.entries({ a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, '\\': 92 }).map(([letter, byte]) => [byte, letter]))

/** A name as git writes it with core.quotePath: quoted where it holds a quote, a backslash, or a byte that is no printable ASCII. */
export function quotePath (path: string): string {
  if (/^[\x20-\x7e]*$/.test(path) && !/["\\]/.test(path)) return path
  const bytes = [...Buffer.from(path)].map(byte => {
    const letter = letters.get(byte)
    if (letter !== undefined) return `\\${letter}`
    return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`
  })
  return `"${bytes.join('')}"`
}
