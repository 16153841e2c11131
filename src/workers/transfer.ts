// What a value weighs when it crosses to a thread, and which of its buffers can go there without being copied. Both look
// a few levels deep: the inputs and outputs of tasks are plain objects that hold strings and typed arrays.

const depthMax = 4

/** Bytes of strings and typed arrays in a value, as memory holds them; structure around them is not counted. */
export function bytesOf (value: unknown, depth = 0): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 0
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength
  if (depth >= depthMax) return 0
  let bytes = 0
  for (const part of partsOf(value)) bytes += bytesOf(part, depth + 1)
  return bytes
}

/**
 * Buffers of a value that its typed arrays fill from end to end, each once. A view of a part stays behind, since moving
 * its buffer would take it from others (small Buffers of Node share one).
 */
export function wholeBuffersOf (value: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>()
  collect(value, found, 0)
  return [...found]
}

function collect (value: unknown, found: Set<ArrayBuffer>, depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer && value.byteLength === value.buffer.byteLength) found.add(value.buffer)
  } else if (value instanceof ArrayBuffer) found.add(value)
  else if (depth < depthMax) for (const part of partsOf(value)) collect(part, found, depth + 1)
}

/** Numbers hold nothing to weigh or to move, so an array is known by its first item. */
function partsOf (value: object): Iterable<unknown> {
  if (Array.isArray(value)) return typeof value[0] === 'number' ? [] : value
  if (value instanceof Map || value instanceof Set) return value.values()
  return Object.values(value)
}
