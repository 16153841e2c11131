// JSON as a tree that opens and closes. What cannot be read as JSON (it was cut) is shown as text.

import { useState } from 'preact/hooks'
import type { Json, Text } from '../../protocol.ts'
import { named } from '../ansi.ts'
import { TextBlock } from './text.tsx'

const childrenStep = 50
const stringChars = 200
const openDepth = 2

export function JsonText ({ content, label }: { content: Text; label: string }) {
  const value = content.cut ? undefined : parsed(content.text)
  if (content.text === '') return <p class='muted none'>nothing</p>
  return value === undefined ? <TextBlock content={content} label={label} plain /> : <div class='json' role='group' aria-label={label}><Value value={value} depth={0} /></div>
}

function parsed (text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

function Value ({ value, depth, name }: { value: Json; depth: number; name?: string }) {
  const key = name === undefined ? null : <span class='key'>{named(name)}: </span>
  if (value === null || typeof value !== 'object') return <div class='leaf'>{key}<Leaf value={value} /></div>
  const entries = Object.entries(value)
  if (entries.length === 0) return <div class='leaf'>{key}<span class='muted'>{Array.isArray(value) ? '[ ]' : '{ }'}</span></div>
  return <Branch entries={entries} isList={Array.isArray(value)} depth={depth} label={key} />
}

function Branch ({ entries, isList, depth, label }: { entries: [string, Json][]; isList: boolean; depth: number; label: preact.ComponentChild }) {
  const [open, setOpen] = useState(depth < openDepth && entries.length <= childrenStep)
  const [shown, setShown] = useState(childrenStep)
  return (
    <div class='branch'>
      <button class='fold' aria-expanded={open} onClick={() => setOpen(!open)}>{label}<span class='muted'>{isList ? `[${entries.length}]` : `{${entries.length}}`}</span></button>
      {open && <div class='inside'>{entries.slice(0, shown).map(([name, value]) => <Value key={name} name={name} value={value} depth={depth + 1} />)}</div>}
      {open && entries.length > shown && <button class='quiet' onClick={() => setShown(shown + childrenStep)}>{entries.length - shown} more</button>}
    </div>
  )
}

function Leaf ({ value }: { value: null | boolean | number | string }) {
  const [whole, setWhole] = useState(false)
  if (typeof value !== 'string') return <span class={value === null ? 'muted' : 'number'}>{String(value)}</span>
  const text = named(value)
  if (whole || text.length <= stringChars) return <span class='string'>“{text.slice(0, 16_000)}”</span>
  return <span class='string'>“{text.slice(0, stringChars)}” <button class='quiet' onClick={() => setWhole(true)}>{text.length} characters</button></span>
}
