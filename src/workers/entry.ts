// The file that the pool's threads run: all tasks. Threads of a benchmark or a test serve tasks of their own.

import { handlers } from './tasks.ts'
import { serve } from './thread.ts'

export default serve(handlers)
