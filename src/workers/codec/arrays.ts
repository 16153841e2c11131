// Arrays of numbers on the wire: `{dtype, shape, data}`, plain msgpack that any reader understands. `dtype` is NumPy's word
// for the type, `shape` the length of each dimension, `data` the numbers as bytes, row after row, little endian; in Python
// `numpy.frombuffer(data, dtype).reshape(shape)`. Docs: docs/records.md.

import { endianness } from 'node:os'
import { SparError } from '../../errors.ts'

interface Arrays {
  '|u1': Uint8Array
  '|i1': Int8Array
  '<u2': Uint16Array
  '<i2': Int16Array
  '<u4': Uint32Array
  '<i4': Int32Array
  '<u8': BigUint64Array
  '<i8': BigInt64Array
  '<f4': Float32Array
  '<f8': Float64Array
}

export type Dtype = keyof Arrays
export type ArrayOf<Type extends Dtype> = Arrays[Type]
export type NumberArray = ArrayOf<Dtype>

const types: { [Type in Dtype]: { new (buffer: ArrayBufferLike, byteOffset: number, length: number): ArrayOf<Type>; BYTES_PER_ELEMENT: number } } = {
  '|u1': Uint8Array, '|i1': Int8Array, '<u2': Uint16Array, '<i2': Int16Array, '<u4': Uint32Array, '<i4': Int32Array, '<u8': BigUint64Array, '<i8': BigInt64Array, '<f4': Float32Array, '<f8': Float64Array
}

export interface WireArray { dtype: string; shape: number[]; data: Uint8Array }

export interface ArrayLimits { dimensionsMax: number; itemsMax: number }
export const arrayLimits: Readonly<ArrayLimits> = { dimensionsMax: 8, itemsMax: 64_000_000 }

const dtypeOf = new Map<unknown, string>(Object.entries(types).map(([dtype, type]) => [type, dtype]))
const bigEndian = endianness() === 'BE'

/** The bytes are those of `array`, not a copy. Throws CODEC_BAD_ARRAY when the shape does not fit. */
export function toWire (array: NumberArray, shape: number[] = [array.length]): WireArray {
  const dtype = dtypeOf.get(Object.getPrototypeOf(array).constructor)
  if (dtype === undefined) throw bad('an array', 'it is of none of the types that have a dtype')
  if (itemsOf(shape) !== array.length) throw bad('an array', `${array.length} items do not have the shape ${JSON.stringify(shape)}`)
  const data = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  return { dtype, shape, data: bigEndian ? swapped(data, array.BYTES_PER_ELEMENT) : data }
}

/**
 * The array of a wire form, `what` naming it in errors. A view of the bytes where they are aligned, else a copy: who keeps
 * the array may keep the whole message. Throws CODEC_BAD_ARRAY.
 */
export function fromWire (value: unknown, what: string, limits: ArrayLimits = arrayLimits): { array: NumberArray; shape: number[] } {
  const { dtype, shape, data } = (value ?? {}) as Partial<WireArray>
  const type = typeof dtype === 'string' && Object.hasOwn(types, dtype) ? types[dtype as Dtype] : undefined
  if (type === undefined) throw bad(what, `its dtype ${shown(dtype)} is none of ${Object.keys(types).join(' ')}`)
  if (!Array.isArray(shape) || !shape.every(length => Number.isSafeInteger(length) && length >= 0)) throw bad(what, `its shape ${shown(shape)} is no list of lengths`)
  if (shape.length > limits.dimensionsMax) throw bad(what, `it has more than ${limits.dimensionsMax} dimensions (dimensionsMax)`)
  if (!(data instanceof Uint8Array)) throw bad(what, 'its data are no bytes')
  const items = itemsOf(shape)
  if (items > limits.itemsMax) throw bad(what, `it has more than ${limits.itemsMax} items (itemsMax)`)
  if (items * type.BYTES_PER_ELEMENT !== data.length) throw bad(what, `${data.length} bytes do not have the shape ${shown(shape)} of ${dtype}`)
  const bytes = bigEndian ? swapped(data, type.BYTES_PER_ELEMENT) : data
  const aligned = bytes.byteOffset % type.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes)
  return { array: new type(aligned.buffer, aligned.byteOffset, items), shape }
}

/** An array of one dimension and a known type. Throws CODEC_BAD_ARRAY. */
export function vectorOf<Type extends Dtype> (value: unknown, what: string, dtype: Type, limits?: ArrayLimits): ArrayOf<Type> {
  const { array, shape } = fromWire(value, what, limits)
  if (shape.length !== 1) throw bad(what, `it has ${shape.length} dimensions instead of 1`)
  if (!(array instanceof types[dtype])) throw bad(what, `it is not of dtype ${dtype}`)
  return array
}

/** Without dimensions there is one item. */
const itemsOf = (shape: readonly number[]): number => shape.reduce((items, length) => items * length, 1)

/** A copy with the bytes of every item in the other order. */
export function swapped (data: Uint8Array, itemBytes: number): Uint8Array {
  const copy = new Uint8Array(data)
  for (let at = 0; at < copy.length; at += itemBytes) copy.subarray(at, at + itemBytes).reverse()
  return copy
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'undefined').slice(0, 100)

const bad = (what: string, why: string): SparError => new SparError('CODEC_BAD_ARRAY', `Cannot use ${what}: ${why}`, { data: { what } })
