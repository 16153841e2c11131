// The states of a machine as a list, and which of them are meant by a path.

import type { StateNode } from '../protocol.ts'

/** Those that hold others come before them; the first one, with the path '', is the machine. */
export const everyState = (state: StateNode): StateNode[] => [state, ...state.states.flatMap(everyState)]

/** Whether `path` is `outer` or a state within it. */
export const isWithin = (outer: string, path: string): boolean => outer === '' || path === outer || path.startsWith(`${outer}.`)
