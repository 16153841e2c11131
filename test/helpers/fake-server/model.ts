// The model of the fake inference server: a tokenizer of bytes, a chat template, and logprobs that follow from the tokens. All of
// it can be computed by a test as well, so that what a client recorded can be held against what the server saw.
//
// 1. `decode(encode(text))` is the text; the two special tokens cannot be written as text.
// 2. The template closes an assistant's turn with two tokens: `<|end|>`, which the model samples, and a newline, which it does not.

export interface FakeMessage { role: string; content: string; toolCalls?: { id: string; name: string; arguments: string }[] }
export interface FakeTool { name: string; description?: string }

export const startToken = 256
export const endToken = 257

export const encode = (text: string): number[] => [...Buffer.from(text, 'utf8')]

/** Special tokens are left out, as servers do. */
export const decode = (ids: readonly number[]): string => Buffer.from(ids.filter(id => id < 256)).toString('utf8')

const callText = (call: { name: string; arguments: string }): string => `<tool_call>{"name": ${JSON.stringify(call.name)}, "arguments": ${call.arguments}}</tool_call>`

/** What a message reads like within its turn. */
export const written = ({ content, toolCalls = [] }: FakeMessage): string => content + toolCalls.map(callText).join('')

export function render (messages: readonly FakeMessage[], tools: readonly FakeTool[] = []): number[] {
  const all = tools.length === 0 ? messages : [{ role: 'system', content: `Tools: ${tools.map(tool => tool.name).join(', ')}` }, ...messages]
  return [
    ...all.flatMap(message => [startToken, ...encode(`${message.role}\n${written(message)}`), endToken, ...encode('\n')]),
    startToken, ...encode('assistant\n')
  ]
}

/** The conversation that tokens stand for; what the model sampled stands in it as text. */
export function parse (ids: readonly number[]): FakeMessage[] {
  const messages: FakeMessage[] = []
  let from = ids.indexOf(startToken)
  while (from >= 0) {
    const next = ids.indexOf(startToken, from + 1)
    const body = ids.slice(from + 1, next < 0 ? ids.length : next)
    const end = body.indexOf(endToken)
    const text = decode(end < 0 ? body : body.slice(0, end))
    const line = text.indexOf('\n')
    messages.push({ role: text.slice(0, line), content: text.slice(line + 1) })
    from = next
  }
  // The last one is the turn that is asked for.
  return messages.slice(0, -1)
}

/** Depends on the token and its place, so that a shift of one shows. Exact in a Float32Array. */
export const logprobOf = (id: number, position: number): number => -((id * 31 + position * 17) % 256) / 64
