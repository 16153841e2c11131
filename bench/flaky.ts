// How often the verifier takes chance for a bug, and how often it rejects a good bug for a flaky test, by the number of
// repeats. Two ways:
//   drawn  the verifier's own stages over drawn runs, thousands of verifications for each figure, beside the formula;
//   real   repositories that are flaky in five ways, verified in real sandboxes.
// Usage: node dist/bench/flaky.js [--draws 2000] [--verify 20] [--repeats 5] [--seed 1] [--svg docs/images/flakiness.svg]

import { writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { createRandom } from '../src/random.ts'
import { flakyCases, measure } from './flaky-draws.ts'
import { flakyRepositories, openFlaky } from './flaky-repositories.ts'

const { values } = parseArgs({ options: { draws: { type: 'string', default: '2000' }, verify: { type: 'string', default: '20' }, repeats: { type: 'string', default: '5' }, seed: { type: 'string', default: '1' }, svg: { type: 'string' } } })
const [draws, verifications, repeatsMax] = [values.draws, values.verify, values.repeats].map(Number) as [number, number, number]
const probabilities = [0.1, 0.2, 0.3, 0.5, 0.7, 0.9]
const repeatsOf = Array.from({ length: repeatsMax }, (_, index) => index + 1)
const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`

/** By case, then probability: shares by repeats. */
type Measured = Map<string, Map<number, number[]>>

async function drawAll (): Promise<Measured> {
  const measured: Measured = new Map()
  for (const drawn of flakyCases) {
    console.log(`\n${drawn.name}: ${drawn.what}\n| p | ${repeatsOf.map(n => `n = ${n}`).join(' | ')} |\n| --- |${' --- |'.repeat(repeatsMax)}`)
    const rows = new Map<number, number[]>()
    for (const p of probabilities) {
      const shares: number[] = []
      for (const n of repeatsOf) shares.push(await measure(drawn, p, n, draws, createRandom(Number(values.seed)).fork(`${drawn.name} ${p} ${n}`)))
      rows.set(p, shares)
      console.log(`| ${p} | ${shares.map((share, at) => `${percent(share)} (${percent(drawn.formula(p, repeatsOf[at]!))})`).join(' | ')} |`)
    }
    measured.set(drawn.name, rows)
  }
  return measured
}

async function verifyAll (): Promise<void> {
  if (verifications === 0) return
  console.log(`\nreal repositories, ${verifications} verifications each\n| repository | repeats | rejected | flaky test taken for the bug's | flaky test kept in P2P | left out | ms |\n| --- | --- | --- | --- | --- | --- | --- |`)
  for (const repository of flakyRepositories) {
    const lab = await openFlaky(repository)
    try {
      for (const repeats of repeatsOf) {
        const counts = { rejected: 0, taken: 0, kept: 0, leftOut: 0 }
        const startedAt = performance.now()
        for (let round = 0; round < verifications; round++) {
          const { valid, f2p, p2p, quarantined } = await lab.verify(repeats)
          const holds = (ids: readonly string[]): boolean => ids.some(id => id.includes('flaky'))
          if (!valid) counts.rejected++
          if (valid && holds(f2p)) counts.taken++
          if (valid && holds(p2p)) counts.kept++
          if (valid && holds(quarantined)) counts.leftOut++
        }
        const ms = (performance.now() - startedAt) / verifications
        console.log(`| ${repository.name} | ${repeats} | ${[counts.rejected, counts.taken, counts.kept, counts.leftOut].map(count => percent(count / verifications)).join(' | ')} | ${ms.toFixed(0)} |`)
      }
    } finally {
      await lab.close()
    }
  }
}

/** Shares on a logarithmic axis by repeats, at the probability that is worst for each case, and the formula as a line. */
function drawCurve (measured: Measured): string {
  const [width, height, left, top, bottom] = [720, 380, 70, 40, 50]
  const [floor, colours] = [1e-4, ['#b3261e', '#b26a00', '#1b6ca8', '#2e7d32']]
  const x = (n: number): number => left + (n - 1) / Math.max(1, repeatsMax - 1) * (width - left - 200)
  const y = (share: number): number => top + Math.log10(Math.max(floor, share)) / Math.log10(floor) * (height - top - bottom)
  const parts = [`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`, `<rect width="${width}" height="${height}" fill="#fff"/>`, `<text x="${left}" y="20" font-size="14">Share of verifications by number of repeats: formula (line), measured (dots), p = 0.5</text>`]
  for (const share of [1, 0.1, 0.01, 0.001, 0.0001]) parts.push(`<line x1="${left}" x2="${x(repeatsMax)}" y1="${y(share)}" y2="${y(share)}" stroke="#ddd"/><text x="${left - 8}" y="${y(share) + 4}" text-anchor="end">${share * 100} %</text>`)
  for (const n of repeatsOf) parts.push(`<text x="${x(n)}" y="${height - bottom + 20}" text-anchor="middle">${n}</text>`)
  parts.push(`<text x="${(left + x(repeatsMax)) / 2}" y="${height - 10}" text-anchor="middle">repeats of the clean and of the buggy tree each</text>`)
  flakyCases.forEach(({ name, formula }, at) => {
    const shares = measured.get(name)!.get(0.5)!
    const ends = y(formula(0.5, repeatsMax))
    parts.push(`<polyline fill="none" stroke="${colours[at]}" stroke-width="2" points="${repeatsOf.map(n => `${x(n)},${y(formula(0.5, n)).toFixed(1)}`).join(' ')}"${name === 'refused' ? ' stroke-dasharray="6 4"' : ''}/>`)
    shares.forEach((share, index) => { if (share > 0) parts.push(`<circle cx="${x(index + 1)}" cy="${y(share).toFixed(1)}" r="4" fill="${colours[at]}"/>`) })
    parts.push(`<text x="${x(repeatsMax) + 12}" y="${ends + (name === 'refused' ? 16 : name === 'kept' ? 14 : 4)}" fill="${colours[at]}">${name}</text>`)
  })
  return `${parts.join('\n')}\n</svg>\n`
}

console.log(`load ${loadavg().map(load => load.toFixed(1)).join(' ')}; ${draws} draws a figure, formula in brackets`)
const measured = await drawAll()
if (values.svg !== undefined) writeFileSync(values.svg, drawCurve(measured))
await verifyAll()
console.log(`load ${loadavg().map(load => load.toFixed(1)).join(' ')} after`)
