// A list of any length of which only what is seen is drawn. One row is selected; keys move it, and it stays in sight.

import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'

export const rowHeight = 30
const overscan = 8

export interface VirtualProps {
  label: string
  role: 'tree' | 'listbox'
  count: number
  selected: number
  /** Attributes and content of a row. */
  row: (index: number) => { key: string; attributes: Record<string, unknown>; content: ComponentChildren }
  onSelect: (index: number) => void
  onOpen: (index: number) => void
}

export function Virtual ({ label, role, count, selected, row, onSelect, onOpen }: VirtualProps) {
  const box = useRef<HTMLDivElement>(null)
  const [seen, setSeen] = useState({ top: 0, height: 600 })
  const look = (): void => {
    const { scrollTop, clientHeight } = box.current!
    setSeen(seen => seen.top === scrollTop && seen.height === clientHeight ? seen : { top: scrollTop, height: clientHeight })
  }
  useLayoutEffect(() => {
    look()
    const observer = new ResizeObserver(look)
    observer.observe(box.current!)
    return () => observer.disconnect()
  }, [])
  useLayoutEffect(() => {
    const { scrollTop, clientHeight } = box.current!
    if (selected < 0) return
    const [above, below] = [scrollTop - selected * rowHeight, (selected + 1) * rowHeight - scrollTop - clientHeight]
    // What is far away comes into the middle: what stands around it is asked for too.
    if (Math.max(above, below) > clientHeight / 2) box.current!.scrollTop = selected * rowHeight - (clientHeight - rowHeight) / 2
    else if (above > 0) box.current!.scrollTop -= above
    else if (below > 0) box.current!.scrollTop += below
  }, [selected])
  const first = Math.max(0, Math.floor(seen.top / rowHeight) - overscan)
  const last = Math.min(count, Math.ceil((seen.top + seen.height) / rowHeight) + overscan)
  const rows = Array.from({ length: Math.max(0, last - first) }, (_, offset) => ({ index: first + offset, ...row(first + offset) }))
  const selectedRow = rows.find(({ index }) => index === selected)
  return (
    <div ref={box} class='virtual' role={role} aria-label={label} tabIndex={0} data-list onScroll={look} {...(selectedRow ? { 'aria-activedescendant': `row-${selectedRow.key}` } : {})}>
      <div class='all' role='presentation' style={{ height: `${count * rowHeight}px` }}>
        {rows.map(({ index, key, attributes, content }) => (
          <div key={key} id={`row-${key}`} class={`vrow ${index === selected ? 'selected' : ''}`} style={{ top: `${index * rowHeight}px` }} aria-selected={index === selected} {...attributes}
            onClick={() => { onSelect(index); onOpen(index) }}>{content}</div>
        ))}
      </div>
    </div>
  )
}
