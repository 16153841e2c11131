// Numbers in a patch, read as C reads them: saturated at 64 bits, modes in octal and cut to 32 bits.

import { byteAt, isDigit, isSpace } from './bytes.ts'

const int32Max = 2 ** 31 - 1
const uint64Max = 2n ** 64n - 1n

export interface Digits { value: bigint | number; end: number }

/** Decimal digits from `at` on; null where there is none. */
export function readDigits (bytes: Uint8Array, at: number): Digits | null {
  let end = at
  let value = 0
  while (isDigit(byteAt(bytes, end))) value = value * 10 + bytes[end++]! - 48
  if (end === at) return null
  if (end - at <= 15) return { value, end }
  const exact = BigInt(Buffer.from(bytes.subarray(at, end)).toString('latin1'))
  return { value: exact > uint64Max ? uint64Max : exact, end }
}

/** A count of lines: what no patch can hold needs no exact number. */
export const countOf = ({ value }: Digits): number => value > int32Max ? int32Max : Number(value)

/** The line a hunk is looked for at first, counted from 0: a 32-bit integer, which may have wrapped around. */
export const startOf = ({ value }: Digits): number =>
  value === 0 ? 0 : value <= int32Max ? Number(value) - 1 : Number(BigInt.asIntN(32, BigInt(value) - 1n))

/** Size of a binary block, behind its method; 0 where there is no number, as in C. */
export function readSize (bytes: Uint8Array, at: number): number {
  while (isBlank(byteAt(bytes, at))) at++
  const negative = byteAt(bytes, at) === 0x2d
  if (negative || byteAt(bytes, at) === 0x2b) at++
  const digits = readDigits(bytes, at)
  if (digits === null) return 0
  return Number(negative ? BigInt.asUintN(64, -BigInt(digits.value)) : digits.value)
}

/** A file mode: octal, with white space on either side; null where it is none. */
export function readMode (bytes: Uint8Array, at: number): number | null {
  while (isBlank(byteAt(bytes, at))) at++
  const negative = byteAt(bytes, at) === 0x2d
  if (negative || byteAt(bytes, at) === 0x2b) at++
  const start = at
  let value = 0n
  for (; byteAt(bytes, at) >= 48 && byteAt(bytes, at) <= 55; at++) {
    value = value * 8n + BigInt(bytes[at]! - 48)
    if (value > uint64Max) value = uint64Max + 1n
  }
  if (at === start || !isSpace(byteAt(bytes, at))) return null
  if (value > uint64Max) return -1
  return Number(BigInt.asIntN(32, negative ? -value : value))
}

/** What C's number readers skip, which is more than git's white space: vertical tab and form feed too. */
const isBlank = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13)
