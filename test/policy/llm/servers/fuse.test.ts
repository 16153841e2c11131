import t from 'tap'
import { createFuse } from '../../../../src/policy/llm/servers/fuse.ts'
import { serverLimits } from '../../../../src/policy/llm/servers/limits.ts'
import { readLoad } from '../../../../src/policy/llm/servers/metrics.ts'
import { createWindow } from '../../../../src/policy/llm/servers/window.ts'
import { createRandom } from '../../../../src/random.ts'

const limits = { ...serverLimits, fuseFailures: 3, fuseMsMin: 100, fuseMsMax: 400, concurrencyStart: 8, concurrencyMax: 64, shrinkMsMin: 10 }

t.test('a fuse opens after failures in a row, for longer each time, and closes when the endpoint is well', async t => {
  const fuse = createFuse(limits, createRandom(1))
  const failures = (count: number, now: number): void => { for (let index = 0; index < count; index++) fuse.fail(now) }
  failures(2, 0)
  fuse.succeed()
  failures(2, 0)
  t.equal(fuse.state, 'closed', 'an answer in between begins the count anew')
  fuse.fail(0)
  t.equal(fuse.state, 'open')
  t.notOk(fuse.admits(49), 'at least half of fuseMsMin')
  t.ok(fuse.admits(100), 'at most all of it')
  fuse.probe()
  t.notOk(fuse.admits(1000), 'one looks at a time')
  for (const [now, least, most] of [[1000, 100, 200], [2000, 200, 400], [3000, 200, 400]] as const) {
    fuse.fail(now)
    t.notOk(fuse.admits(now + least - 1), `open for at least ${least} ms`)
    t.ok(fuse.admits(now + most), `and at most ${most} ms`)
    fuse.probe()
  }
  fuse.mend()
  t.equal(fuse.state, 'closed')
  fuse.fail(5000)
  t.equal(fuse.state, 'open', 'an endpoint that has just come back is trusted by half')
  fuse.probe()
  fuse.giveUp(6000)
  t.ok(fuse.admits(6000), 'a look that found nothing is for the next to repeat')
  fuse.succeed()
  failures(2, 7000)
  t.equal(fuse.state, 'closed')
})

t.test('a window grows while it is used, halves for refusals, and follows the queue of the endpoint', async t => {
  const window = createWindow(limits)
  window.succeed(3)
  t.equal(window.size, 8, 'what is not used does not grow')
  for (let turn = 0; turn < 8; turn++) window.succeed(window.size)
  t.equal(window.size, 16, 'doubles in a round at first')
  for (let turn = 0; turn < 100; turn++) window.succeed(window.size)
  t.equal(window.size, 64, 'up to concurrencyMax')
  window.refuse(0)
  window.refuse(9)
  t.equal(window.size, 32, 'one burst of refusals is one sign')
  window.refuse(10)
  t.equal(window.size, 16)
  for (let turn = 0; turn < 17; turn++) window.succeed(16)
  t.equal(window.size, 17, 'then by one for each round')
  for (let now = 100; now < 200; now += 10) window.refuse(now)
  t.equal(window.size, 1, 'never none')

  const queued = createWindow(limits)
  for (let turn = 0; turn < 56; turn++) queued.succeed(queued.size)
  queued.observe({ waiting: 24, kvUsage: 0.5 }, 64)
  t.equal(queued.size, 44, 'what runs, and a tenth more')
  queued.succeed(44)
  t.equal(queued.size, 44, 'nothing grows while turns wait there')
  queued.observe({ waiting: 4, kvUsage: 0.5 }, 44)
  t.equal(queued.size, 44, 'a short queue is what keeps it busy')
  queued.observe({ waiting: 0, kvUsage: 0.99 }, 44)
  t.equal(queued.size, 39, 'less for a full cache')
  queued.observe({ waiting: 0, kvUsage: 0.5 }, 39)
  for (let turn = 0; turn < 40; turn++) queued.succeed(queued.size)
  t.equal(queued.size, 40)
})

t.test('load is read off the metrics of vLLM and SGLang', async t => {
  const vllm = '# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting{engine="0",model_name="a b"} 3.0\nvllm:num_requests_waiting{engine="1"} 2\nvllm:kv_cache_usage_perc{engine="0"} 0.25\nvllm:kv_cache_usage_perc{engine="1"} 0.75 1700000000\nvllm:num_requests_waiting_by_reason{reason="x"} 9\n'
  t.same(readLoad(vllm), { waiting: 5, kvUsage: 0.75 })
  t.same(readLoad('sglang:num_queue_reqs{tp_rank="0"} 7\nsglang:token_usage 0.5\n'), { waiting: 7, kvUsage: 0.5 })
  t.same(readLoad('vllm:num_requests_waiting NaN\nvllm:num_requests_waiting 1e0\n'), { waiting: 1, kvUsage: null })
  t.equal(readLoad('process_cpu_seconds_total 1\n<html>'), null, 'something else')
})
