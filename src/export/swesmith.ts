// SWE-smith: instances whose patch makes the bug; its tools reverse it for the gold fix. Lists are plain. The format knows
// no weakened tests: what hides the bug goes along in a field of ours.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Arena } from '../domain.ts'
import type { BugExport, ExportedBug } from './bugs.ts'
import { exactText, jsonLine } from './lines.ts'
import { refuseTwins, repositoryName, swesmithId, swesmithImage, swesmithRepository } from './names.ts'
import { problemStatement } from './prompt.ts'
import type { LeftOut } from './types.ts'

export interface SwesmithInstance {
  instance_id: string
  repo: string
  patch: string
  FAIL_TO_PASS: string[]
  PASS_TO_PASS: string[]
  created_at: string
  image_name: string
  base_commit: string
  problem_statement: string
  // --- ours
  /** Weakens the tests on top of the bug. */
  test_weaken_patch: string
  bug_id: string
  bug_order: number
  parent_bug_id: string | null
  strategy: string
}

const bugType = ({ bug, strategy }: ExportedBug): string => bug.order === 1 ? `ssr_${strategy}` : `ssr_${strategy}_order${bug.order}`

export function swesmithInstance (exported: ExportedBug, arena: Arena): SwesmithInstance | null {
  const { bug, summary, strategy } = exported
  const name = repositoryName(arena.name)
  const repository = swesmithRepository(name, arena.commit)
  const [patch, weaken, oracle] = [exported.sources, bug.files.testWeaken, exported.oracle].map(exactText)
  if (patch == null || weaken == null || oracle == null) return null
  return {
    instance_id: swesmithId(repository, bugType(exported), bug.id),
    repo: `swesmith/${repository}`,
    patch,
    FAIL_TO_PASS: summary.f2p,
    PASS_TO_PASS: summary.p2p,
    created_at: exported.createdAt,
    image_name: arena.image ?? swesmithImage(name, arena.commit),
    base_commit: arena.commit,
    problem_statement: problemStatement(oracle),
    test_weaken_patch: weaken,
    bug_id: bug.id,
    bug_order: bug.order,
    parent_bug_id: bug.parent,
    strategy
  }
}

export async function writeSwesmith (folder: string, { arena, bugs }: BugExport): Promise<{ instances: number; leftOut: LeftOut[] }> {
  const made = bugs.map(exported => ({ exported, instance: swesmithInstance(exported, arena) }))
  const instances = made.flatMap(({ instance }) => instance ?? [])
  refuseTwins(instances.map(instance => instance.instance_id))
  await writeFile(join(folder, 'instances.jsonl'), instances.map(jsonLine).join(''))
  return {
    instances: instances.length,
    leftOut: made.filter(({ instance }) => instance === null).map(({ exported }) => ({ bug: exported.bug.id, reason: 'its patches are not UTF-8, and this format is text' }))
  }
}
