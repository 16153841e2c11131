// `GIT binary patch` written for the fuzzer: base 85 over deflated bytes, literal or delta.

import { deflateSync } from 'node:zlib'
import type { Random } from '../../src/ports.ts'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~'

function encodeLines (bytes: Buffer): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 52) {
    const part = bytes.subarray(at, at + 52)
    text += String.fromCharCode(part.length <= 26 ? 64 + part.length : 70 + part.length)
    for (let group = 0; group < part.length; group += 4) {
      let value = Buffer.concat([part.subarray(group, group + 4), Buffer.alloc(4)]).readUInt32BE(0)
      let digits = ''
      for (let digit = 0; digit < 5; digit++) {
        digits = alphabet[value % 85] + digits
        value = Math.floor(value / 85)
      }
      text += digits
    }
    text += '\n'
  }
  return text
}

const varint = (value: number): number[] => value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)]

/** Copies what both begin and end with, and inserts the rest. */
function deltaOf (before: Buffer, after: Buffer): Buffer {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head++
  const out = [...varint(before.length), ...varint(after.length)]
  if (head > 0) out.push(0x80 | 0x10 | 0x20, head & 255, head >> 8)
  for (let at = head; at < after.length; at += 127) out.push(Math.min(127, after.length - at), ...after.subarray(at, at + 127))
  return Buffer.from(out)
}

function blockOf (random: Random, before: Buffer, after: Buffer): string {
  const delta = random.next() < 0.4 && before.length > 0 && after.length > 0
  const bytes = delta ? deltaOf(before, after) : after
  return `${delta ? 'delta' : 'literal'} ${bytes.length}\n${encodeLines(deflateSync(bytes))}\n`
}

export const binaryOf = (random: Random, before: Buffer, after: Buffer): string =>
  `GIT binary patch\n${blockOf(random, before, after)}${random.next() < 0.9 ? blockOf(random, after, before) : ''}`
