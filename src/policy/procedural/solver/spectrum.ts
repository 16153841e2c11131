// Which lines failing and passing tests run, and the suspicion that follows (Ochiai: Abreu et al., 2007). Where tests can be
// told apart while they run, lines are counted by test. Elsewhere a file of tests is the smallest thing that a runner can
// run alone, so the spectrum comes from counts: the test files as they were found (without the failing tests) against the
// same files with the oracle patch.

export interface LineSpectrum { failing: number; passing: number }

export interface Spectrum {
  /** Failing tests that were traced, or test files with failing tests where only counts are known. */
  failing: number
  lines: Map<string, Map<number, LineSpectrum>>
}

export const emptySpectrum = (): Spectrum => ({ failing: 0, lines: new Map() })

/** failing(line) / sqrt(all failing × (failing(line) + passing(line))) */
export function ochiai (spectrum: Spectrum, path: string, line: number): number {
  const found = spectrum.lines.get(path)?.get(line)
  if (found === undefined || found.failing === 0) return 0
  return found.failing / Math.sqrt(spectrum.failing * (found.failing + found.passing))
}

/** Reads what `pythonTracer` or `nodeTracer` wrote: one JSON object a line, one for every process that ran sources of the tree. */
export function readTestSpectrum (output: string): Spectrum {
  const spectrum = emptySpectrum()
  for (const part of jsonLines(output)) {
    const { failing, files } = part as { failing: number; files: Record<string, [number, number, number][]> }
    spectrum.failing += failing
    for (const [path, lines] of Object.entries(files)) {
      for (const [line, failed, passed] of lines) addLine(spectrum, path, line, failed, passed)
    }
  }
  return spectrum
}

export type LineCounts = Map<string, Map<number, number>>

/**
 * Adds a test file with failing tests: a line that ran more often with them than without was run by them. Counts do not say
 * how many tests ran a line, so runs stand for tests: those without the failing ones, as a multiple of theirs, and the
 * doublings of their own. What everybody runs all the time is hardly at fault.
 */
export function addFailingCounts (spectrum: Spectrum, weakened: LineCounts, restored: LineCounts): void {
  const before = (path: string, line: number): number => weakened.get(path)?.get(line) ?? 0
  const differs = [...restored].some(([path, lines]) => [...lines].some(([line, count]) => count > before(path, line)))
  spectrum.failing++
  for (const [path, lines] of restored) {
    for (const [line, count] of lines) {
      const others = before(path, line)
      const own = differs ? count - others : count
      if (own > 0) addLine(spectrum, path, line, 1, Math.log2(own) + (differs ? others / own : 0))
      else addLine(spectrum, path, line, 0, 1)
    }
  }
}

/** Adds a test file whose tests pass. */
export function addPassingCounts (spectrum: Spectrum, counts: LineCounts): void {
  for (const [path, lines] of counts) for (const [line, count] of lines) addLine(spectrum, path, line, 0, 1 + Math.log2(count) / 2)
}

function addLine (spectrum: Spectrum, path: string, line: number, failing: number, passing: number): void {
  const known = linesOf(spectrum, path)
  const before = known.get(line) ?? { failing: 0, passing: 0 }
  known.set(line, { failing: before.failing + failing, passing: before.passing + passing })
}

export function readNodeCounts (output: string): LineCounts {
  const counts: LineCounts = new Map()
  for (const part of jsonLines(output)) {
    for (const [path, lines] of Object.entries(part as Record<string, [number, number][]>)) counts.set(path, new Map(lines))
  }
  return counts
}

/** A Go cover profile: `module/dir/file.go:12.3,14.5 statements count`. Paths are matched by their ends. */
export function readGoCounts (profile: string, files: readonly string[]): LineCounts {
  const counts: LineCounts = new Map()
  const resolved = new Map<string, string | null>()
  for (const match of profile.matchAll(/^(\S+\.go):(\d+)\.\d+,(\d+)\.\d+ \d+ (\d+)$/gm)) {
    const [, name, first, last, count] = match as unknown as [string, string, string, string, string]
    if (!resolved.has(name)) resolved.set(name, longestEnd(name, files))
    const path = resolved.get(name)
    if (!path || count === '0') continue
    const lines = counts.get(path) ?? new Map<number, number>()
    counts.set(path, lines)
    for (let line = Number(first); line <= Number(last); line++) lines.set(line, (lines.get(line) ?? 0) + Number(count))
  }
  return counts
}

function longestEnd (name: string, files: readonly string[]): string | null {
  const ends = files.filter(file => name === file || name.endsWith(`/${file}`))
  return ends.sort((a, b) => b.length - a.length)[0] ?? null
}

function linesOf (spectrum: Spectrum, path: string): Map<number, LineSpectrum> {
  const known = spectrum.lines.get(path) ?? new Map<number, LineSpectrum>()
  spectrum.lines.set(path, known)
  return known
}

function * jsonLines (output: string): Generator<unknown> {
  for (const line of output.split('\n')) {
    if (!line.startsWith('{')) continue
    try { yield JSON.parse(line) } catch {} // a process that was killed while it wrote
  }
}
