// Content that is no text, as a `GIT binary patch`: both sides whole and deflated, first the new one and then the old one,
// so that it can be reversed. Git would look for a delta too; a literal is always right.

import { deflateSync } from 'node:zlib'

/** As git decides: a NUL among the first bytes. */
export const isBinary = (bytes: Uint8Array): boolean => bytes.subarray(0, bytesLookedAt).includes(0)

const bytesLookedAt = 8000

export function formatBinary (before: Uint8Array, after: Uint8Array): string {
  return `GIT binary patch\n${literal(after)}${literal(before)}`
}

const literal = (bytes: Uint8Array): string => `literal ${bytes.length}\n${base85Lines(deflateSync(bytes))}\n`

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~'
const lineBytesMax = 52

/** A line is its length as a letter (A to Z for 1 to 26, a to z for 27 to 52) and five digits for every four bytes. */
function base85Lines (bytes: Uint8Array): string {
  let text = ''
  for (let from = 0; from < bytes.length; from += lineBytesMax) {
    const to = Math.min(bytes.length, from + lineBytesMax)
    const length = to - from
    text += String.fromCharCode(length <= 26 ? 64 + length : 70 + length)
    for (let at = from; at < to; at += 4) text += base85Word(bytes, at, to)
    text += '\n'
  }
  return text
}

/** Big endian; what lies beyond `end` counts as zero. */
function base85Word (bytes: Uint8Array, at: number, end: number): string {
  let word = 0
  for (let index = at; index < at + 4; index++) word = word * 256 + (index < end ? bytes[index]! : 0)
  let digits = ''
  for (let digit = 0; digit < 5; digit++) {
    digits = alphabet[word % 85]! + digits
    word = Math.floor(word / 85)
  }
  return digits
}
