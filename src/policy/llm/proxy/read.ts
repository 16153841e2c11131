// Reading a request: every value is looked at before it is believed. A wrong one is PROXY_REQUEST with its name.

import type { ToolSchema } from '../types.ts'
import { badRequest } from './faults.ts'

export type Fields = Record<string, unknown>

export const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

export function fields (value: unknown, name: string): Fields {
  if (!isFields(value)) throw badRequest(`"${name}" is no object`)
  return value
}

export function list (value: unknown, name: string, most: number): unknown[] {
  if (!Array.isArray(value)) throw badRequest(`"${name}" is no list`)
  if (value.length > most) throw badRequest(`"${name}" has more than ${most} items`)
  return value
}

export function text (value: unknown, name: string): string {
  if (typeof value !== 'string') throw badRequest(`"${name}" is no text`)
  return value
}

/** A number, or null where there is none. */
export function number (body: Fields, name: string, { min, max = Number.MAX_SAFE_INTEGER, whole = false }: { min: number; max?: number; whole?: boolean }): number | null {
  const value = body[name]
  if (value === undefined || value === null) return null
  if (typeof value !== 'number' || !(value >= min && value <= max) || (whole && !Number.isInteger(value))) throw badRequest(`"${name}" is no ${whole ? 'whole ' : ''}number from ${min}${max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`}`)
  return value
}

export function flag (body: Fields, name: string): boolean {
  const value = body[name] ?? false
  if (typeof value !== 'boolean') throw badRequest(`"${name}" is neither true nor false`)
  return value
}

/** Refuses what would change the answer and cannot be passed on; empty values and those named are what is done anyway. */
export function refuse (body: Fields, names: Record<string, readonly unknown[]>): void {
  for (const [name, harmless] of Object.entries(names)) {
    const value = body[name]
    const isEmpty = value === undefined || value === null || (Array.isArray(value) && value.length === 0) || (isFields(value) && Object.keys(value).length === 0)
    if (!isEmpty && !harmless.includes(value)) throw badRequest(`"${name}" cannot be passed on to the inference server`)
  }
}

/**
 * The text of a content that is a text or a list of parts: parts are joined by line feeds, as chat servers do it. `parts`: types
 * that are text; `silent`: types that say nothing to a model.
 */
export function contentText (value: unknown, name: string, parts: readonly string[], silent: readonly string[] = []): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string') return value
  return list(value, name, partsMax).map(part => fields(part, name)).filter(part => !silent.includes(part['type'] as string)).map(part => {
    if (!parts.includes(part['type'] as string)) throw badRequest(`"${name}" holds a part of type ${JSON.stringify(part['type'])?.slice(0, 50)}: only text can be passed on`)
    return text(part['text'] ?? part['refusal'], name)
  }).join('\n')
}
export const partsMax = 20_000

export type ToolChoice = 'auto' | 'none'

/** A choice that forces a call would be sampled under constraints, which no record of ours can say. */
export function toolChoice (value: unknown): ToolChoice {
  const named = isFields(value) ? value['type'] : value
  if (named === undefined || named === null || named === 'auto') return 'auto'
  if (named === 'none') return 'none'
  throw badRequest('"tool_choice" may be "auto" or "none": a forced call cannot be passed on to the inference server')
}

export const toolSchema = (name: unknown, description: unknown, parameters: unknown): ToolSchema => ({
  name: text(name, 'tools.name'),
  description: typeof description === 'string' ? description : '',
  parameters: isFields(parameters) ? parameters : { type: 'object', properties: {} }
})
