// JSON lines that every reader splits in the same places. Python's splitlines also breaks at U+0085, U+2028 and U+2029,
// which a patch may hold, so these are escaped. Typed arrays become lists.

const escapes: Record<string, string> = { '\u0085': '\\u0085', '\u2028': '\\u2028', '\u2029': '\\u2029' }

const plainValue = (_key: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return Number(value)
  return ArrayBuffer.isView(value) ? Array.from(value as unknown as ArrayLike<number>) : value
}

export const jsonLine = (value: unknown): string =>
  JSON.stringify(value, plainValue).replace(/[\u0085\u2028\u2029]/g, character => escapes[character]!) + '\n'

/** The text of bytes, or null where they are not UTF-8 and text would not be the same bytes again. */
export function exactText (bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}
