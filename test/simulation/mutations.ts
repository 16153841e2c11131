// Defects that this product must not have, each as a change of its source. The simulator has to find every one of them: a checker that
// catches nothing is a defect itself.

import type { Chance, Rate } from '../../src/simulation/faults.ts'

export interface Mutation {
  name: string
  file: string
  /** Found exactly once in the file. */
  find: string
  replace: string
  /** Rules of which one has to break. */
  rules: string[]
  /** Faults to play it with; about half of all faults where nothing is said. */
  chances?: Partial<Record<Chance, number>>
  rates?: Partial<Record<Rate, number>>
}

export const mutations: Mutation[] = [
  {
    name: 'work is acknowledged before its ending is kept',
    file: 'src/cluster/deliver.ts', rules: ['liveness', 'ledger'],
    find: '    const delivered = await answer(', replace: '    await message.ack()\n    const delivered = await answer('
  },
  {
    name: 'an owner writes whatever the revision is',
    file: 'src/cluster/episodes.ts', rules: ['fencing'],
    find: 'bus.kv.episodes.update(key, bytes, revision)', replace: 'bus.kv.episodes.put(key, bytes)'
  },
  {
    name: 'the last ending stays, not the first',
    file: 'src/cluster/records.ts', rules: ['settles-once'],
    find: "      if (await retry(() => log.create(key, pack(ending))) === 'present')", replace: "      await retry(() => log.remove(key))\n      if (await retry(() => log.create(key, pack(ending))) === 'present')"
  },
  {
    name: 'a rollout that infrastructure took is the policy\'s fault',
    file: 'actors/work/rollout.ts', rules: ['infrastructure-scored', 'truth'],
    find: "    case 'infra_fault': throw new SparError(ended.code, ended.reason, { retryable: true })", replace: "    case 'infra_fault': return { outcome: 'policy_fault', reason: ended.reason }"
  },
  {
    name: 'a grade that could not be reached is a lost attempt',
    file: 'src/verify/grade.ts', rules: ['truth'],
    find: "    return grade(null, 'infra_fault', `${code}: ${message}`, { code, retryable })", replace: "    return grade(false, 'crashed', `${code}: ${message}`, { code, retryable })"
  },
  {
    name: 'a run of the tests that was killed once is the breaker\'s fault',
    file: 'src/verify/tree.ts', rules: ['truth'],
    find: 'isStruck(first) ?', replace: 'first.killed === null && false ?'
  },
  {
    name: 'a full disk is the parser\'s fault',
    file: 'src/verify/parser.ts', rules: ['truth'], chances: { sandboxFull: 0.03 },
    find: 'await throwIfFull(sandbox, result, signal)', replace: 'void throwIfFull'
  },
  {
    name: 'leases are never renewed',
    file: 'src/cluster/holder.ts', rules: ['leases'],
    find: 'message.working()', replace: 'void message'
  },
  {
    name: 'an episode is settled before its samples are written',
    file: 'src/cluster/episodes.ts', rules: ['samples'], chances: { crashAfterWrite: 0.03 },
    find: '      await this.release(samples)\n', replace: '      await retry(() => bus.log.records.create(settledKey(run, episodeId), pack({ outcome })))\n      await this.release(samples)\n'
  },
  {
    name: 'whoever ends a run takes its own message off the queue first',
    file: 'src/cluster/keys.ts', rules: ['liveness'], chances: { crashAfterWrite: 0.05 },
    find: "= ['episode', 'rollout', 'verify', 'grade']", replace: "= ['run', 'episode', 'rollout', 'verify', 'grade']"
  },
  {
    name: 'a bug that nobody solves is rewarded',
    file: 'src/rewards/breaker.ts', rules: ['rewards'],
    find: 'rate === 0 || rate === 1 ?', replace: 'rate === 1 ?'
  },
  {
    name: 'advantages are rewards',
    file: 'src/rewards/group.ts', rules: ['rewards'],
    find: 'zeroGradient ? 0 : reward - mean', replace: 'zeroGradient ? 0 : reward'
  },
  {
    name: 'bugs of one order too many',
    file: 'machines/episode.ts', rules: ['order'],
    find: 'context.bugs.length < context.orderMax', replace: 'context.bugs.length <= context.orderMax'
  },
  {
    name: 'a rollout leaves its sandbox behind',
    file: 'src/rollout/session.ts', rules: ['sandboxes'],
    find: 'Promise.allSettled([policy?.close(), sandbox?.destroy()])', replace: 'Promise.allSettled([policy?.close()])'
  },
  {
    name: 'what is put back keeps its sample without a reward',
    file: 'src/cluster/episodes.ts', rules: ['rewards'], chances: { policyError: 0.25, sandboxLost: 0.02 },
    find: "=== 'created' || times === 0 ||", replace: "=== 'created' || times >= 0 ||"
  },
  {
    name: 'an episode is put on the queue once',
    file: 'actors/cluster/lead-task.ts', rules: ['liveness'], chances: { policyError: 0.25, sandboxLost: 0.02, pause: 0.002 }, rates: { putBack: 4, partition: 2 },
    find: 'ports.clock.sleep(limits.readdMs,', replace: 'ports.clock.sleep(2 ** 40,'
  },
  {
    name: 'a node makes no room for what nobody holds',
    file: 'src/cluster/arenas.ts', rules: ['liveness'],
    find: 'if (!isOrphan || tries === 0)', replace: 'if (tries >= 0)'
  },
  {
    name: 'a run that was submitted by half cannot be submitted again',
    file: 'src/cluster/submit.ts', rules: ['liveness'],
    find: 'asked(stands) !== asked(document)', replace: 'true'
  },
  {
    name: 'work that is half put back stays so',
    file: 'src/cluster/quarantine.ts', rules: ['liveness'], chances: { policyError: 0.25, sandboxLost: 0.02 },
    find: '  const half = await halfPutBack(bus, run, document)\n', replace: '  const half = null as string[] | null\n'
  }
]
