// One of the processes that `spar simulate --jobs` deals seeds to: plays what it is sent, one seed at a time, for as long as somebody is
// there who sends. What is thrown here ends it, and whoever dealt the seed is told so.

import { openPlace } from '../../actors/simulation/place.ts'
import { simulate, type SimulateOptions } from '../../actors/simulation/simulate.ts'

process.on('message', one => { void simulate(one as SimulateOptions, openPlace()).then(simulated => process.send!(simulated)) })
process.on('disconnect', () => process.exit())
