// Texts of unknown length, cut for showing.

import type { Text } from './protocol.ts'

/** The beginning of a text, at most so many bytes of it, and never half a character. */
export function cutText (text: string, bytesMax: number): Text {
  const bytes = Buffer.byteLength(text)
  if (bytes <= bytesMax) return { text, bytes, cut: false }
  return { text: cutBytes(Buffer.from(text.slice(0, bytesMax)), bytesMax), bytes, cut: true }
}

/** The same of bytes that should be UTF-8. */
export const cutFile = (bytes: Uint8Array, bytesMax: number): Text =>
  ({ text: cutBytes(bytes, bytesMax), bytes: bytes.length, cut: bytes.length > bytesMax })

function cutBytes (bytes: Uint8Array, bytesMax: number): string {
  let end = Math.min(bytes.length, bytesMax)
  // A byte 10xxxxxx goes on with a character.
  if (end < bytes.length) while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('utf8')
}

/** A value as JSON. Handles and functions are named by their kind, and what is large is left out before it is written. */
export function cutJson (value: unknown, bytesMax: number, indent = 2): Text {
  let left = bytesMax * 2
  const plain = (item: unknown, depth: number): unknown => {
    if (left < 0) return '…'
    left -= 8
    if (typeof item === 'string') {
      left -= item.length
      return item.length > bytesMax ? `${item.slice(0, bytesMax)}…` : item
    }
    if (typeof item === 'bigint') return String(item)
    if (typeof item === 'function' || typeof item === 'symbol') return `[${typeof item}]`
    if (item === null || typeof item !== 'object') return item
    if (item instanceof Error) return { name: item.name, message: plain(item.message, depth + 1), ...'code' in item ? { code: plain(item.code, depth + 1) } : {} }
    if (ArrayBuffer.isView(item)) return `[${item.byteLength} bytes]`
    if (depth >= 12) return '…'
    if (Array.isArray(item)) return item.slice(0, 1_000).map(one => plain(one, depth + 1))
    const prototype: unknown = Object.getPrototypeOf(item)
    if (prototype !== null && prototype !== Object.prototype) return `[${(item.constructor as { name?: string } | undefined)?.name ?? 'object'}]`
    const made: Record<string, unknown> = Object.create(null) as Record<string, unknown>
    for (const [name, one] of Object.entries(item).slice(0, 1_000)) {
      left -= name.length
      made[name.slice(0, 200)] = plain(one, depth + 1)
    }
    return made
  }
  return cutText(JSON.stringify(plain(value, 0), null, indent) ?? '', bytesMax)
}
