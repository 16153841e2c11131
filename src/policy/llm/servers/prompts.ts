// Prompts as tokens, for servers that take tokens. The first prompt is the conversation, rendered and tokenised by the server.
// Every later one goes on from the tokens that are there, since sampled tokens are never made anew from their text:
//   tokens so far + what closes the assistant's turn + the new messages + what opens the next turn
// Where the last three come from: the same new messages behind a stub of one question and one answer. Rendered with two
// different answers, what differs is the answer, so what stands behind it is what is wanted, whatever the template. The stub is
// short, so a turn tokenises what is new and not the conversation.
//
// 1. A prompt starts with the tokens so far, or is the whole conversation tokenised anew: never something between.
// 2. The completion may have sampled what closes its turn, all or some of it: that is not written twice.
// 3. A stub that the template renders in another way with these messages behind it proves nothing: then the whole is tokenised.

import type { Ask, ChatMessage, ToolSchema } from '../types.ts'

/** Tokens of a rendered conversation with the opening of the assistant's next turn behind it. */
export type Render = (messages: readonly ChatMessage[], tools: readonly ToolSchema[] | null) => Promise<Int32Array>

export interface Prompts { tokensOf (ask: Ask, render: Render): Promise<Int32Array> }

const question: ChatMessage = { role: 'user', content: 'a' }
const stub = (answer: string): ChatMessage[] => [question, { role: 'assistant', content: answer, toolCalls: [] }]
const answers = ['b', 'c'] as const

export function createPrompts (closingTokensMax: number): Prompts {
  // Tools stand in front of the conversation, so the head depends on them. There is one set for each role. What is kept is the
  // head and not the search for it: a search belongs to a turn, which may be cancelled.
  const heads = new Map<string, Int32Array | null>()
  const headsMax = 16

  const headOf = async (tools: readonly ToolSchema[] | null, render: Render): Promise<Int32Array | null> => {
    const key = JSON.stringify(tools)
    const known = heads.get(key)
    if (known !== undefined) return known
    const head = await findHead(tools, render)
    if (heads.size >= headsMax) heads.delete(heads.keys().next().value!)
    heads.set(key, head)
    return head
  }

  return {
    async tokensOf ({ messages, tools, tokensSoFar, messagesSoFar }, render) {
      const fresh = messages.slice(messagesSoFar)
      const goesOn = tokensSoFar !== null && messagesSoFar > 0 && fresh.length > 0 && fresh.every(message => message.role === 'user')
      if (!goesOn) return await render(messages.slice(), tools)
      const head = await headOf(tools, render)
      if (head === null) return await render(messages.slice(), tools)
      const rendered = await render([...stub(answers[0]), ...fresh], tools)
      if (!startsWith(rendered, head)) return await render(messages.slice(), tools)
      return join(tokensSoFar, rendered.subarray(head.length), closingTokensMax)
    }
  }
}

/** Tokens of the stub up to and with its answer; null where the template gives no such thing. */
async function findHead (tools: readonly ToolSchema[] | null, render: Render): Promise<Int32Array | null> {
  const [one, other] = await Promise.all(answers.map(answer => render([...stub(answer), question], tools))) as [Int32Array, Int32Array]
  let from = 0
  while (from < one.length && from < other.length && one[from] === other[from]) from++
  let behind = 0
  while (behind < one.length - from && behind < other.length - from && one[one.length - 1 - behind] === other[other.length - 1 - behind]) behind++
  // Nothing behind the answer, or no difference at all: the template does not show what was said.
  return behind === 0 || from === one.length ? null : one.slice(0, one.length - behind)
}

const startsWith = (tokens: Int32Array, head: Int32Array): boolean => tokens.length > head.length && head.every((id, index) => id === tokens[index])

function join (before: Int32Array, behind: Int32Array, closingTokensMax: number): Int32Array {
  const most = Math.min(closingTokensMax, behind.length, before.length)
  let sampled = most
  while (sampled > 0 && !endsWith(before, behind.subarray(0, sampled))) sampled--
  const joined = new Int32Array(before.length + behind.length - sampled)
  joined.set(before)
  joined.set(behind.subarray(sampled), before.length)
  return joined
}

const endsWith = (tokens: Int32Array, tail: Int32Array): boolean => tail.every((id, index) => id === tokens[tokens.length - tail.length + index])
