// What a page is told where a trace is looked at: the trace, and nothing else.

import { badAction, notFound } from './failure.ts'
import type { TraceView } from './protocol-trace.ts'
import { topics } from './protocol.ts'
import type { Source } from './source.ts'
import { readTopic } from './topic.ts'

export const traceSource = (trace: TraceView): Source => ({
  kind: 'trace',
  async * open (topic) {
    if (readTopic(topic).kind !== topics.trace) throw notFound(`${topic} of a trace`)
    yield { full: trace }
  },
  act: async () => { throw badAction('a trace takes no actions') },
  close: async () => {}
})
