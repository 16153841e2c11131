// Bytes of a patch, as git's reader sees them: a byte past the end is a NUL, a line ends at a line feed and nowhere else
// (a carriage return, a form feed or U+2028 is content), and white space is the four ASCII bytes that git takes for it.
// A name or header is handed on as a "binary string": one character a byte.

export const TAB = 9
export const LF = 10
export const CR = 13
export const SPACE = 32
export const QUOTE = 34
export const PLUS = 43
export const COMMA = 44
export const MINUS = 45
export const SLASH = 47
export const AT = 64
export const BACKSLASH = 92

export const byteAt = (bytes: Uint8Array, at: number): number => at < bytes.length ? bytes[at]! : 0

export const isSpace = (byte: number): boolean => byte === SPACE || byte === TAB || byte === LF || byte === CR

export const isDigit = (byte: number): boolean => byte >= 48 && byte <= 57

/** Offset behind the line that starts at `at`, its line feed included. */
export function nextLine (bytes: Uint8Array, at: number): number {
  const end = bytes.indexOf(LF, at)
  return end === -1 ? bytes.length : end + 1
}

export function startsWith (bytes: Uint8Array, at: number, text: string): boolean {
  if (at + text.length > bytes.length) return false
  for (let index = 0; index < text.length; index++) if (bytes[at + index] !== text.charCodeAt(index)) return false
  return true
}

/** A view that shares the memory, with Buffer's fast conversions. */
export const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export const binaryString = (bytes: Uint8Array, start: number, end: number): string => bufferOf(bytes).toString('latin1', start, Math.min(end, bytes.length))

/** Up to the first NUL, as a C string ends. */
export function cString (text: string): string {
  const end = text.indexOf('\0')
  return end === -1 ? text : text.slice(0, end)
}

// A path of the tree is the text of the path's bytes. Bytes that are not UTF-8 become lone surrogates U+DC80 to U+DCFF, one
// each, so that every name has exactly one text and can be had back.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function textOfPath (binary: string): string {
  if (!/[\x80-\xff]/.test(binary)) return binary
  const bytes = Buffer.from(binary, 'latin1')
  try {
    return decoder.decode(bytes)
  } catch {
    return decodeLossless(bytes)
  }
}

function decodeLossless (bytes: Buffer): string {
  let text = ''
  for (let at = 0; at < bytes.length;) {
    const lead = bytes[at]!
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    try {
      text += decoder.decode(bytes.subarray(at, at + length))
      at += length
    } catch {
      text += String.fromCharCode(0xdc00 + lead)
      at++
    }
  }
  return text
}

/** Whether some byte of the name is not UTF-8. */
export const hasRawBytes = (path: string): boolean => /\p{Cs}/u.test(path)

/** The bytes of a path as a binary string: the other way round. */
export function binaryOfPath (path: string): string {
  if (!/[^\x00-\x7f]/.test(path)) return path
  let binary = ''
  for (const char of path) {
    const code = char.codePointAt(0)!
    binary += code >= 0xdc80 && code <= 0xdcff ? String.fromCharCode(code - 0xdc00) : Buffer.from(char, 'utf8').toString('latin1')
  }
  return binary
}
