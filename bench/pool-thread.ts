// The thread of bench/pool.ts: it sends back what it gets.

import { serve } from '../src/workers/thread.ts'

export default serve({ echo: (input: { bytes: Uint8Array }) => input })
