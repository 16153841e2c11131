// Tool calls as the server made them out of what the model wrote.

import type { Role } from '../../domain.ts'
import { fault, readCall, type CallRead } from './tools.ts'
import type { AskedTool } from './types.ts'

export function readNativeCall (role: Role, calls: readonly AskedTool[]): CallRead {
  const [call, ...others] = calls
  if (call === undefined) return fault('the reply called no tool; call exactly one')
  if (others.length > 0) return fault(`the reply called ${calls.length} tools; call exactly one`)
  let args: unknown
  try {
    args = JSON.parse(call.arguments === '' ? '{}' : call.arguments)
  } catch (error) {
    return fault(`the arguments of ${call.name.slice(0, 50)} are no JSON: ${(error as Error).message.slice(0, 200)}`)
  }
  return readCall(role, call.name, args)
}
