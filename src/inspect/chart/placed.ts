// A chart with the place of everything in it, pixels from the upper left corner: all that is needed to draw it.

import type { StateNode } from '../protocol.ts'

export interface Point { x: number; y: number }
export interface Box extends Point { width: number; height: number }

/** A line of text in a state or beside an edge; `note` is what follows it, muted. `transition`: id of the one that it stands for. */
export interface Row { kind: 'runs' | 'entry' | 'exit' | 'on' | 'edge'; text: string; note: string; transition: string | null }

/** States come before those that they hold; the first one, with the path '', is the machine. */
export interface PlacedState extends Box { path: string; key: string; type: StateNode['type']; isInitial: boolean; tags: string[]; rows: Row[] }
export interface PlacedEdge { source: string; target: string; lines: Point[][]; label: Box; rows: Row[] }
export interface Placed { width: number; height: number; states: PlacedState[]; edges: PlacedEdge[] }

/** A machine and the place of everything in its drawing. */
export interface Chart { root: StateNode; placed: Placed }

/** Text is not measured: its width is taken from its length, with room to spare. */
export const sizes = { title: 32, row: 17, labelRow: 15, padding: 12, tag: 17, nameChar: 8, rowChar: 6.8, tagChar: 6.4, minWidth: 84 }
