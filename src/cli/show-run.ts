// `spar show <run>`: what was asked for, what came of it, what was rejected and why, what failed, and where things are.

import { existsSync, readFileSync } from 'node:fs'
import type { Verdict } from '../domain.ts'
import { drawEpisode, episodeIdOf } from '../run/draw.ts'
import { breakId, settleId, solveId, verifyId } from '../run/ids.ts'
import type { RunOptions } from '../run/options.ts'
import type { BreakResult, SolveResult } from '../run/results.ts'
import type { SettledEpisode } from '../run/settle.ts'
import type { RunSummary } from '../run/summary.ts'
import type { RunStore } from '../store/run.ts'
import { renderSummary } from './summary.ts'
import { renderTable } from './table.ts'

export interface RunView extends RunSummary {
  spar: string
  node: string
  options: RunOptions
  policies: { breaker: string; solver: string }
  /** Episodes that have not settled. */
  unsettled: number[]
  rejections: { id: string | null; episode: number; strategy: string; check: string; reason: string }[]
  failures: { episode: number; outcome: string; reason: string }[]
  quarantine: { work: string; code: string; reason: string }[]
  /** Bugs whose solvers could read something of the original, with the number of rollouts. */
  leaks: { id: string; rollouts: number; findings: readonly string[] }[]
  /** Folders and files of the run that are there. */
  places: Record<string, string>
}

const places: [string, string][] = [
  ['bugs', 'valid bugs, a folder each: five files and manifest.json'], ['rejected', 'rejected artifacts with their verdicts'], ['attempts', 'patches of the solvers'],
  ['transcripts', 'rollouts for people'], ['trajectories', 'rollouts for trainers (msgpack)'], ['samples.jsonl', 'rollouts with rewards'], ['ledger.jsonl', 'every piece of work'], ['summary.json', 'the table as JSON']
]

export function viewRun (store: RunStore): RunView {
  const { options, policies, spar, node } = store.file()
  const view: RunView = { ...renderSummary(store).summary, spar, node, options, policies, unsettled: [], rejections: [], failures: [], quarantine: quarantined(store), leaks: [], places: {} }
  for (const [place] of places) if (existsSync(store.path(place))) view.places[place] = store.path(place)
  for (let number = 1; number <= options.episodes; number++) {
    const episodeId = episodeIdOf(number)
    const settled = store.result<SettledEpisode>(settleId(episodeId))
    const ending = settled?.ending
    view.leaks.push(...leaksOf(store, settled))
    if (!ending) view.unsettled.push(number)
    else if (ending.kind === 'rejected') {
      const id = store.result<Verdict>(verifyId(episodeId))?.bugId ?? store.result<BreakResult>(breakId(episodeId))?.bugId ?? null
      view.rejections.push({ id, episode: number, strategy: drawEpisode(options, number).strategy, check: ending.failed, reason: ending.reason })
    } else if (ending.kind === 'fault') {
      view.failures.push({ episode: number, outcome: ending.outcome, reason: ending.reason || store.result<BreakResult>(breakId(episodeId))?.reason || '' })
    }
  }
  return view
}

function leaksOf (store: RunStore, settled: SettledEpisode | null): RunView['leaks'] {
  return (settled?.bugs ?? []).flatMap(({ bugId, order, attempts }) => {
    const found = attempts.map(({ member }) => (store.result<SolveResult>(solveId(settled!.episodeId, order, member))?.findings ?? []).filter(finding => finding.startsWith('leak-'))).filter(leaks => leaks.length > 0)
    return found.length === 0 ? [] : [{ id: bugId, rollouts: found.length, findings: [...new Set(found.flat())] }]
  })
}

export function renderRun (store: RunStore, view: RunView): string {
  const { options, arena } = view
  const { image } = store.file().arena
  const strategies = Object.entries(options.strategy).filter(([, weight]) => weight > 0).map(([name, weight]) => `${name}=${weight}`).join(', ')
  const section = (title: string, lines: readonly string[]): string[] => lines.length > 0 ? ['', title, ...lines] : []
  return [
    `Run ${view.run}: ${options.target} at ${arena.commit.slice(0, 12)} (${arena.runner}, ${image ?? 'no image'}), arena ${arena.id}`,
    `${options.episodes} episodes (${strategies}), groups of ${options.group}, seed ${options.seed}, α ${options.alpha}, orders up to ${options.maxOrder}, inverse mutation ${options.mode}`,
    `at least ${options.minPassing} passing and ${options.minFailing} failing tests, ${options.minFiles.min}–${options.minFiles.max} files; breaker ${view.policies.breaker}, solver ${view.policies.solver}; spar ${view.spar} on Node ${view.node}`,
    '',
    renderSummary(store).text,
    ...section('Rejected', view.rejections.length > 0 ? [renderTable(['bug', 'episode', 'strategy', 'check', 'reason'], view.rejections.map(({ id, episode, strategy, check, reason }) => [id ?? '–', String(episode), strategy, check, oneLine(reason)]))] : []),
    ...section('Without a bug', view.failures.map(({ episode, outcome, reason }) => `  episode ${episode}: ${outcome}${reason ? `: ${oneLine(reason)}` : ''}`)),
    ...section('Quarantined', view.quarantine.map(({ work, code, reason }) => `  ${work}: ${oneLine(reason)} [${code}]`)),
    ...section(`Leaks to the solver: findings in ${view.leaks.reduce((sum, { rollouts }) => sum + rollouts, 0)} rollouts`, view.leaks.map(({ id, rollouts, findings }) => `  ${id}: ${rollouts} rollouts; ${findings.slice(0, leaksShownMax).map(oneLine).join('; ')}${findings.length > leaksShownMax ? `; ${findings.length - leaksShownMax} more` : ''}`)),
    ...section('Not settled', view.unsettled.length > 0 ? [`  episodes ${view.unsettled.join(', ')}; go on with: spar play --resume --out ${store.dir}`] : []),
    ...section(`In ${store.dir}`, places.filter(([place]) => view.places[place] !== undefined).map(([place, what]) => `  ${place.padEnd(14)} ${what}`))
  ].join('\n')
}

/** Findings of one bug that are shown. */
const leaksShownMax = 3

/** Work that was given up, from the ledger's lines; a line that a crash tore is no line. */
function quarantined (store: RunStore): RunView['quarantine'] {
  const path = store.path('ledger.jsonl')
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8').split('\n').slice(0, -1).filter(line => line.includes('"quarantined"'))
    .map(line => JSON.parse(line) as { id: string; entry: string; code?: string; reason?: string })
    .filter(line => line.entry === 'quarantined')
    .map(({ id, code = '', reason = '' }) => ({ work: id, code, reason }))
}

/** Reasons may hold the output of a tool. */
const oneLine = (text: string): string => {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > 300 ? `${line.slice(0, 300)}…` : line
}
