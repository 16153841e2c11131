// A verdict with its evidence, cut to what can be shown.

import type { Verdict } from '../../domain.ts'
import { inspectLimits } from '../limits.ts'
import type { VerdictView } from '../protocol.ts'
import { cutJson } from '../text.ts'

const { namesShownMax, textBytesMax } = inspectLimits

export function verdictView ({ decided, valid, failed, mode, checks, files, f2p, p2p, quarantined }: Verdict): VerdictView {
  return {
    decided, valid, failed, mode,
    checks: checks.map(({ name, verdict, reason, evidence }) => ({ name, verdict, reason: reason.slice(0, 4_000), evidence: cutJson(evidence, textBytesMax) })),
    files: files.slice(0, namesShownMax), f2p: f2p.slice(0, namesShownMax), p2p: p2p.slice(0, namesShownMax), quarantined: quarantined.slice(0, namesShownMax),
    counts: { files: files.length, f2p: f2p.length, p2p: p2p.length, quarantined: quarantined.length },
    inverse: inverseOf(checks.find(({ name }) => name === 'inverse')?.evidence, files)
  }
}

function inverseOf (evidence: Record<string, unknown> | undefined, files: readonly string[]): VerdictView['inverse'] {
  const restored = evidence?.['restored']
  if (!Array.isArray(restored)) return null
  const groups = (restored as { files?: unknown; flips?: unknown }[]).slice(0, namesShownMax).map(group => ({ files: namesOf(group.files), flips: namesOf(group.flips) }))
  const idle = files.filter(file => !groups.some(group => group.files.includes(file)))
  return { restored: groups, idle: idle.slice(0, namesShownMax) }
}

const namesOf = (value: unknown): string[] => Array.isArray(value) ? value.slice(0, namesShownMax).map(String) : []
