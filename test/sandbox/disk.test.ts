// Goal: a sandbox is measured when it may have grown, seldom else, and is ended when it holds too much. Method: a clock that
// passes as soon as somebody waits, and a disk of which everything is known. Real disks: test/trust/escape.

import t from 'tap'

import { DiskWatch, type Held, type Room } from '../../src/sandbox/disk.ts'
import { diskBlindMs, diskCheckMs, diskLookMs, diskShareMax, diskStepShare } from '../../src/sandbox/limits.ts'
import type { Clock } from '../../src/ports.ts'

const limits = { diskBytes: 1_600, diskFiles: 160 }
const full: Room = { bytes: 100_000, files: 10_000 }

interface Lab { room: (now: number) => Room | null; held?: (now: number) => Held; measureMs?: number; untilMs: number }

/** Times of measurements, with whether files were counted, and what was said in the end. */
async function watch ({ room, held = () => ({ bytes: 0, files: 0 }), measureMs = 0, untilMs }: Lab): Promise<{ measured: { at: number; files: boolean }[]; what: string | null; at: number }> {
  let now = 0
  const clock: Clock = {
    now: () => now,
    sleep: async ms => {
      now += ms
      if (now >= untilMs) watch.stop()
    },
    after: () => () => {}
  }
  const measured: { at: number; files: boolean }[] = []
  let what: string | null = null
  const watch = new DiskWatch({
    room: async () => room(now),
    held: async files => {
      measured.push({ at: now, files })
      const holds = held(now)
      now += measureMs
      return holds
    }
  }, clock, limits)
  await watch.watch(said => { what = said })
  return { measured, what, at: now }
}

t.test('where the room does not shrink it is measured now and then', async t => {
  t.same(await watch({ room: () => full, untilMs: 2 * diskCheckMs + diskLookMs }), { what: null, at: 2 * diskCheckMs + diskLookMs, measured: [{ at: diskCheckMs, files: true }, { at: 2 * diskCheckMs, files: true }] })
})

t.test('it is measured when the room has shrunk by what it lacked of its limit, its files only where they may be too many', async t => {
  const steps = (now: number, of: number, times: number[]): number => of * times.filter(time => now >= time).length
  const half = await watch({ room: now => ({ ...full, bytes: full.bytes - steps(now, 800, [1_000, 2_000, 3_000]) }), held: () => ({ bytes: 800, files: null }), untilMs: 4_000 })
  t.same(half.measured, [{ at: 2_000, files: false }, { at: 3_000, files: false }], 'the whole limit first, then the half that it lacked')
  const near = await watch({ room: now => ({ ...full, files: full.files - steps(now, limits.diskFiles, [1_000]) - steps(now, limits.diskFiles * diskStepShare, [2_000]) }), held: () => ({ bytes: 0, files: 160 }), untilMs: 4_000 })
  t.same(near.measured, [{ at: 1_000, files: true }, { at: 2_000, files: true }], 'a step at its limit')
})

t.test('what holds too many bytes or files is named, once', async t => {
  const shrinking = (now: number): Room => ({ bytes: full.bytes - now, files: full.files - now })
  const bytes = await watch({ room: shrinking, held: now => ({ bytes: now, files: 0 }), untilMs: 60_000 })
  t.match(bytes, { what: '1600 bytes (diskBytes)', at: 1_750 })
  const files = await watch({ room: shrinking, held: now => ({ bytes: 0, files: now / 10 }), untilMs: 60_000 })
  t.match(files, { what: '160 files (diskFiles)', at: 1_750 })
  t.match(await watch({ room: shrinking, untilMs: 5_000 }), { what: null }, 'a neighbour may have taken the room')
})

t.test('measuring takes its share of the time, and no more', async t => {
  const { measured } = await watch({ room: now => ({ bytes: full.bytes - now, files: full.files }), measureMs: 100, untilMs: 10_000 })
  for (const [index, { at }] of measured.entries()) if (index > 0) t.ok(at - measured[index - 1]!.at >= 100 / diskShareMax)
  t.ok(measured.length > 2)
})

t.test('where nobody can ask for the room time decides', async t => {
  const { measured } = await watch({ room: () => null, untilMs: 3 * diskBlindMs + diskLookMs })
  t.same(measured.map(({ at }) => at), [diskBlindMs, 2 * diskBlindMs, 3 * diskBlindMs])
  t.ok(measured.every(({ files }) => files))
})

t.test('what cannot be measured is held against nobody, and is measured again soon', async t => {
  const unknown = (): Held => { throw new Error('the engine does not answer') }
  const shrinking = (now: number): Room => ({ bytes: full.bytes - now, files: full.files })
  const never = await watch({ room: shrinking, held: unknown, untilMs: 20_000 })
  t.equal(never.what, null, 'a neighbour may have written it')
  for (const [index, { at }] of never.measured.entries()) if (index > 0) t.ok(at - never.measured[index - 1]!.at <= diskBlindMs)
  t.match(await watch({ room: shrinking, held: now => { if (now < 5_000) throw new Error('not yet'); return { bytes: now, files: 0 } }, untilMs: 20_000 }), { what: /diskBytes/ })
})
