// `spar show <run> <bug>`: where a bug comes from, what it changes, what proves it, and how every attempt went.

import { readdirSync, existsSync } from 'node:fs'
import { readArtifact, readPatch, type Artifact } from '../artifact/index.ts'
import type { Check, Outcome, Verdict } from '../domain.ts'
import { SparError } from '../errors.ts'
import { episodeIdOf } from '../run/draw.ts'
import { breakId, gradeId, settleId, solveId } from '../run/ids.ts'
import type { GradeResult, SolveResult } from '../run/results.ts'
import type { SettledEpisode } from '../run/settle.ts'
import type { RunStore } from '../store/run.ts'
import { readIfThere, transcriptPath, verdictOf, type BugState, type FoundBug } from './find-bug.ts'
import { neutral, renderDiff } from './terminal.ts'
import { renderTable } from './table.ts'

export interface AttemptView {
  rollout: string
  episode: number
  member: number
  /** null while it is being played. */
  outcome: Outcome | null
  solved: boolean | null
  /** What the grade says, else why there is none. */
  grade: string | null
  reason: string
  missing: number
  failing: number
  turns: number | null
  deliveries: { solve: number | null; grade: number | null }
  /** Relative to the run's folder. */
  patch: string | null
  numstat: { path: string; added: number; deleted: number; binary: boolean }[]
  transcript: string | null
}

export interface BugView {
  id: string
  state: BugState
  order: 1 | 2
  parent: string | null
  dir: string
  episodes: { number: number; order: 1 | 2 }[]
  manifest: Omit<NonNullable<Artifact['manifest']>, 'verdict'> | null
  diffs: Record<string, string>
  verdict: Verdict | null
  breakerTranscripts: string[]
  attempts: AttemptView[]
}

export async function viewBug (store: RunStore, found: FoundBug): Promise<BugView> {
  const { bug, manifest } = await readArtifact(found.dir)
  const { verdict = null, ...provenance } = manifest ?? {}
  return {
    id: bug.id,
    state: found.state,
    order: bug.order,
    parent: bug.parent,
    dir: found.dir,
    episodes: found.episodes,
    manifest: manifest === null ? null : provenance as BugView['manifest'],
    diffs: Object.fromEntries(diffsOf(bug).map(([name, bytes]) => [name, Buffer.from(bytes).toString('utf8')])),
    verdict: verdictOf(store, found) ?? verdict,
    breakerTranscripts: found.episodes.flatMap(({ number }) => transcriptPath(store, breakId(episodeIdOf(number))) ?? []),
    attempts: found.episodes.flatMap(({ number, order }) => attemptsOf(store, number, order, bug.id))
  }
}

const diffsOf = ({ files }: Artifact['bug']): [string, Uint8Array][] => [
  ['bug_inject.diff', files.bugInject], ['test_weaken.diff', files.testWeaken], ...(files.predPatch === null ? [] : [['pred_patch.diff', files.predPatch] as [string, Uint8Array]])
]

/** Settled attempts, and what there is of those that are still being played. */
function attemptsOf (store: RunStore, number: number, order: 1 | 2, bugId: string): AttemptView[] {
  const episodeId = episodeIdOf(number)
  const settled = store.result<SettledEpisode>(settleId(episodeId))?.bugs.find(bug => bug.bugId === bugId && bug.order === order)
  const members = settled ? settled.attempts.map(attempt => attempt.member) : playedMembers(store, episodeId, order)
  return members.map(member => {
    const rollout = solveId(episodeId, order, member)
    const ended = settled?.attempts.find(attempt => attempt.member === member)
    const solve = store.result<SolveResult>(rollout)
    const graded = store.result<GradeResult>(gradeId(episodeId, order, member))
    const patch = `attempts/${rollout}.diff`
    const bytes = readIfThere(store.path(patch))
    return {
      rollout,
      episode: number,
      member,
      outcome: ended?.outcome ?? (graded ? 'scored' : null),
      solved: ended?.solved ?? graded?.grade.solved ?? null,
      grade: graded?.grade.outcome ?? null,
      reason: graded?.grade.reason ?? ended?.reason ?? solve?.reason ?? '',
      missing: graded?.grade.missing.length ?? 0,
      failing: graded?.grade.failing.length ?? 0,
      turns: solve?.turns ?? null,
      deliveries: { solve: solve?.delivery ?? null, grade: graded?.delivery ?? null },
      patch: bytes === null ? null : patch,
      numstat: bytes === null ? [] : numstat(bytes),
      transcript: transcriptPath(store, rollout)
    }
  })
}

function playedMembers (store: RunStore, episodeId: string, order: number): number[] {
  const folder = store.path('results')
  const start = `${episodeId}.solve.${order}.`
  if (!existsSync(folder)) return []
  return readdirSync(folder).filter(name => name.startsWith(start) && name.endsWith('.json')).map(name => Number(name.slice(start.length, -'.json'.length))).sort((a, b) => a - b)
}

/** A patch that cannot be read has no counts; its reason stands in the grade. */
function numstat (bytes: Uint8Array): AttemptView['numstat'] {
  try {
    return readPatch(bytes).map(file => ({ path: file.newPath ?? file.oldPath!, added: file.addedLines, deleted: file.deletedLines, binary: file.binary }))
  } catch (error) {
    if (error instanceof SparError) return []
    throw error
  }
}

/** Tests that are listed without --all. */
const listedMax = 20

export interface RenderOptions { all: boolean; colour: boolean }

/** Neutral text, but for the colour of diffs. */
export function renderBug (store: RunStore, view: BugView, { all, colour }: RenderOptions): string {
  const { verdict } = view
  const sections = [
    neutral(lineage(store, view)),
    ...Object.entries(view.diffs).map(([name, text]) => `── ${name}\n${text === '' ? '(empty)' : renderDiff(Buffer.from(text), colour)}`),
    ...(verdict === null ? ['Not verified.'] : [
      neutral([testList('FAIL_TO_PASS', verdict.f2p, all), testList('PASS_TO_PASS', verdict.p2p, all), ...(verdict.quarantined.length > 0 ? [testList('Left out as flaky', verdict.quarantined, all)] : [])].join('\n\n')),
      neutral(checksText(verdict))
    ]),
    neutral(attemptsText(view))
  ]
  return sections.join('\n\n')
}

function lineage (store: RunStore, { id, state, order, parent, dir, episodes, manifest, verdict, breakerTranscripts }: BugView): string {
  const ending = state === 'rejected' && verdict ? `rejected by "${verdict.failed}"` : order > 1 ? 'of the second order, not verified again' : state
  const rows: [string, string][] = [['run', store.run], ['order', parent === null ? String(order) : `${order}, after ${parent}`]]
  if (episodes.length > 0) rows.push(['episode', episodes.map(({ number }) => episodeIdOf(number)).join(', ')])
  if (manifest) {
    const { arena, strategy, params, seed, policy } = manifest
    rows.push(
      ['arena', `${arena.id} · ${arena.target} · ${arena.runner}${arena.image ? ` · ${arena.image}` : ''}`],
      ['commit', `${arena.commit} (tree ${arena.tree})`],
      ['strategy', strategy ?? 'none'],
      ['asked for', `at least ${params.minFiles} files, ${params.minPassing} passing tests, ${params.minFailing} failing tests`],
      ['seed', String(seed ?? 'none')],
      ['breaker', policy ? `${policy.name} ${policy.version}` : 'unknown']
    )
  }
  if (verdict) rows.push(['files', verdict.files.join(', ') || 'none'])
  rows.push(['folder', dir])
  for (const transcript of breakerTranscripts) rows.push(['transcript', store.path(transcript)])
  return [`${id}: ${ending}`, ...rows.map(([name, value]) => `  ${name.padEnd(10)} ${value}`)].join('\n')
}

function testList (title: string, ids: readonly string[], all: boolean): string {
  const listed = all ? ids : ids.slice(0, listedMax)
  const rest = ids.length > listed.length ? [`  … and ${ids.length - listed.length} more (--all)`] : []
  return [`${title} (${ids.length})`, ...listed.map(id => `  ${id.replaceAll('\n', '\\n')}`), ...rest].join('\n')
}

const marks = { pass: '✓', fail: '✗', skip: '·', error: '!' }

function checksText ({ checks, mode, decided, valid, failed }: Verdict): string {
  const ending = !decided ? 'could not be decided' : valid ? `all hold (${mode ?? 'strict'})` : `"${failed}" fails`
  return [
    `Checks: ${ending}`,
    renderTable(['check', 'verdict', 'reason'], checks.map(check => [check.name, `${marks[check.verdict]} ${check.verdict}`, check.reason.replace(/\s+/g, ' ').slice(0, 300)])),
    ...runsText(checks)
  ].join('\n')
}

interface RunLike { tree: string; exitCode: number | null; killed: string | null; durationMs: number; passed: number; failed: number; logSha256: string }

/** The runs that the checks rest on, each once. */
function runsText (checks: readonly Check[]): string[] {
  const rows = checks.flatMap(check => (Array.isArray(check.evidence['runs']) ? check.evidence['runs'] as RunLike[] : []).map(run => [
    check.name, run.tree, run.killed === null ? String(run.exitCode ?? '–') : `killed (${run.killed})`, String(run.passed), String(run.failed), `${run.durationMs} ms`, run.logSha256.slice(0, 12)
  ]))
  return rows.length > 0 ? ['', renderTable(['check', 'tree', 'exit', 'passed', 'failed', 'time', 'log'], rows)] : []
}

function attemptsText ({ attempts, state }: BugView): string {
  if (attempts.length === 0) return state === 'rejected' ? 'No attempts: a rejected bug is not solved.' : 'No attempts yet.'
  const scored = attempts.filter(attempt => attempt.solved !== null)
  const rows = attempts.map(attempt => [
    attempt.rollout,
    attempt.outcome ?? 'playing',
    attempt.solved === null ? '–' : attempt.solved ? 'solved' : 'not solved',
    attempt.grade ?? '–',
    String(attempt.turns ?? '–'),
    `${attempt.deliveries.solve ?? '–'}/${attempt.deliveries.grade ?? '–'}`,
    attempt.reason.replace(/\s+/g, ' ').slice(0, 120)
  ])
  return [
    `Attempts: ${scored.filter(attempt => attempt.solved).length} of ${scored.length} scored solve it${scored.length < attempts.length ? ` (${attempts.length} dispatched)` : ''}`,
    renderTable(['rollout', 'outcome', 'result', 'grade', 'turns', 'deliveries', 'reason'], rows),
    '',
    ...attempts.flatMap(attempt => [
      `${attempt.rollout}  ${attempt.patch ?? 'no patch'}${attempt.transcript ? `  ${attempt.transcript}` : ''}`,
      ...attempt.numstat.map(({ path, added, deleted, binary }) => `  ${binary ? 'binary' : `+${added} −${deleted}`}  ${path}`)
    ])
  ].join('\n')
}
