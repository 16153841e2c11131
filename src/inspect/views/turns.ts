// Turns of a transcript, a page of them.

import type { Observation, ToolCall, Turn } from '../../domain.ts'
import { turnsPerPage, type TurnView } from '../protocol.ts'
import { cutText } from '../text.ts'

interface Tool { turn: number; exitCode: number | null; timedOut: boolean; truncatedBytes: number; ms: number }
/** Of a record an observation is its text alone: the rest is among the tool calls. */
interface SaidTurn { reply: Pick<Turn['reply'], 'text' | 'call'>; observation: Pick<Observation, 'text'> | null }

export function turnViews (turns: readonly SaidTurn[], tools: readonly Tool[], page: number, bytesMax: number): TurnView[] {
  const byTurn = new Map(tools.map(tool => [tool.turn, tool]))
  return turns.slice(page * turnsPerPage, (page + 1) * turnsPerPage).map(({ reply, observation }, index) => {
    const n = page * turnsPerPage + index + 1
    const tool = byTurn.get(n)
    return {
      n, said: cutText(reply.text, bytesMax), call: reply.call === null ? null : callOf(reply.call, bytesMax),
      observation: observation === null ? null : cutText(observation.text, bytesMax),
      exitCode: tool?.exitCode ?? null, timedOut: tool?.timedOut ?? false, truncatedBytes: tool?.truncatedBytes ?? 0, ms: tool?.ms ?? null
    }
  })
}

function callOf (call: ToolCall, bytesMax: number): NonNullable<TurnView['call']> {
  const shown = (text: string, path: string | null = null): NonNullable<TurnView['call']> => ({ tool: call.tool, shown: cutText(text, bytesMax), path })
  switch (call.tool) {
    case 'bash': return shown(call.command)
    case 'create': return shown(call.content, call.path)
    case 'edit': return shown(`<<<<<<< search\n${call.search}\n=======\n${call.replace}\n>>>>>>> replace`, call.path)
    case 'submit': return shown(call.paths === null ? '' : Object.entries(call.paths).map(([name, path]) => `${name}: ${path}`).join('\n'))
  }
}
