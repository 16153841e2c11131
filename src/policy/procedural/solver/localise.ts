// Where the bug may be: every line of the code that the failing tests run gets a suspicion in (0, 1], from the spectrum,
// from stack traces, from the names that errors and failing tests use, and from units that look as if something was taken
// out of them. Pure; the weights are guesses that were tuned on bugs made by removing and mutating statements.

import type { Unit } from '../../../workers/mutate/types.ts'
import type { Frame } from './failures.ts'
import { ochiai, type Spectrum } from './spectrum.ts'

export interface Evidence {
  spectrum: Spectrum
  frames: readonly Frame[]
  /** Names that errors speak of, and identifiers of the failing tests. */
  missing: ReadonlySet<string>
  mentioned: ReadonlySet<string>
}

export interface CodeFile { path: string; text: string; units: readonly Unit[] }

export interface Suspect { path: string; score: number; suspicion: Record<number, number>; units: readonly Unit[] }

const weights = {
  /** Ran by failing tests, whatever passing tests did: faults sit in well-tested code too. */
  covered: 0.15,
  spectrum: 0.85,
  /** The frame nearest to the error; each further one counts half. */
  frame: 0.6,
  frameUnit: 0.25,
  mentionedUnit: 0.15,
  missingName: 0.35,
  emptyUnit: 0.6,
  unusedName: 0.5,
  /** Share of a file's score that lines below the best get. */
  tail: 0.2
}

/** The most suspicious files, best first; a file scores by its best lines. */
export function rankFiles (files: readonly CodeFile[], evidence: Evidence, limits: { suspectFilesMax: number; suspectLinesMax: number }): Suspect[] {
  const suspects = files.flatMap(file => {
    const lines = suspectLines(file, evidence)
    if (lines.size === 0) return []
    const best = [...lines].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, limits.suspectLinesMax)
    const top = best.slice(0, 10)
    const score = best[0]![1] + weights.tail * top.reduce((sum, [, value]) => sum + value, 0) / top.length
    return [{ path: file.path, score, best, units: file.units }]
  })
  const highest = Math.max(...suspects.flatMap(({ best }) => best[0]![1]))
  return suspects
    .sort((a, b) => b.score - a.score || (a.path < b.path ? -1 : 1))
    .slice(0, limits.suspectFilesMax)
    .map(({ path, score, best, units }) => ({ path, score, units, suspicion: Object.fromEntries(best.map(([line, value]) => [line, value / highest])) }))
}

function suspectLines (file: CodeFile, evidence: Evidence): Map<number, number> {
  const lines = baseline(file, evidence)
  if (lines.size === 0) return lines
  const raise = (line: number, by: number): void => { if (lines.has(line)) lines.set(line, lines.get(line)! + by) }
  const raiseUnit = (unit: Unit, by: number): void => { for (let line = unit.line; line <= unit.endLine; line++) raise(line, by) }
  for (const [line, depth] of nearestFrames(file.path, evidence.frames)) {
    lines.set(line, (lines.get(line) ?? 0) + weights.frame / 2 ** depth)
    const unit = innermost(file.units, line)
    if (unit) raiseUnit(unit, weights.frameUnit / 2 ** depth)
  }
  for (const unit of file.units) {
    if (unit.kind === 'class') continue
    if (evidence.mentioned.has(unit.name)) raiseUnit(unit, weights.mentionedUnit)
    if (evidence.missing.has(unit.name)) raiseUnit(unit, weights.missingName)
    const body = file.text.slice(unit.bodyStart, unit.bodyEnd)
    if (isEmptyBody(body)) raiseUnit(unit, weights.emptyUnit)
    else if (unit.params.some(name => isUnused(name, body))) raiseUnit(unit, weights.unusedName)
  }
  const texts = file.text.split('\n')
  for (const [index, text] of texts.entries()) {
    for (const name of evidence.missing) if (name.length > 1 && mentions(text, name)) raise(index + 1, weights.missingName)
    const declared = /^\s*(?:(?:const|let|var)\s+|)([A-Za-z_$][\w$]*)\s*(?::=|=(?![=>]))/.exec(text)?.[1]
    if (declared !== undefined && declared.length > 1 && occurrences(file.text, declared) === 1) {
      for (let line = index + 1; line <= index + 6; line++) raise(line, weights.unusedName)
    }
  }
  return lines
}

/** Lines that failing tests ran, with their neighbours: what was removed leaves no line of its own. */
function baseline (file: CodeFile, { spectrum, frames }: Evidence): Map<number, number> {
  const lines = new Map<number, number>()
  const count = file.text.split('\n').length
  for (const [line, { failing }] of spectrum.lines.get(file.path) ?? []) {
    if (failing === 0) continue
    const value = weights.covered + weights.spectrum * ochiai(spectrum, file.path, line)
    for (const [near, share] of [[line, 1], [line - 1, 0.5], [line + 1, 0.5]] as const) {
      if (near >= 1 && near <= count) lines.set(near, Math.max(lines.get(near) ?? 0, value * share))
    }
  }
  // Without a trace every line of a file that the errors point to, or that the tests import, is as good as any other.
  const traced = spectrum.lines.size > 0
  if (lines.size === 0 && (!traced || frames.some(frame => frame.path === file.path))) {
    for (let line = 1; line <= count; line++) lines.set(line, weights.covered)
  }
  return lines
}

/** Line to smallest depth. */
function nearestFrames (path: string, frames: readonly Frame[]): Map<number, number> {
  const nearest = new Map<number, number>()
  for (const frame of frames) {
    if (frame.path === path) nearest.set(frame.line, Math.min(nearest.get(frame.line) ?? Infinity, frame.depth))
  }
  return nearest
}

export function innermost (units: readonly Unit[], line: number): Unit | null {
  let found: Unit | null = null
  for (const unit of units) {
    if (unit.kind === 'class' || unit.line > line || unit.endLine < line) continue
    if (found === null || unit.end - unit.start < found.end - found.start) found = unit
  }
  return found
}

function isEmptyBody (body: string): boolean {
  const code = body.replace(/\/\*[^]*?\*\/|\/\/[^\n]*|^\s*#[^\n]*/gm, '').trim()
  return /^(?:|pass|\.\.\.|return|return (?:null|undefined|None|nil)|(?:raise|throw)\b[^\n]*)[;\s]*$/.test(code)
}

const isUnused = (name: string, body: string): boolean => !name.startsWith('_') && name !== 'self' && name !== 'cls' && !mentions(body, name)

const wordPattern = (name: string): RegExp => new RegExp(`(?<![\\w$])${name.replace(/[$*.]/g, '\\$&')}(?![\\w$])`, 'g')
const mentions = (text: string, name: string): boolean => text.includes(name) && wordPattern(name).test(text)
const occurrences = (text: string, name: string): number => text.match(wordPattern(name))?.length ?? 0
