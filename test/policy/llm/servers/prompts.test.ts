// Prompts that go on from the tokens so far, over templates of several makes. Reference: the whole conversation rendered anew,
// with what was really sampled in its place.

import fc from 'fast-check'
import t from 'tap'
import { createPrompts, type Render } from '../../../../src/policy/llm/servers/prompts.ts'
import type { ChatMessage } from '../../../../src/policy/llm/types.ts'
import { encode, endToken, render as renderFake, startToken } from '../../../helpers/fake-server/model.ts'
import { askOf } from '../../../helpers/servers-fixture.ts'

const closingTokensMax = 8
const user = (content: string): ChatMessage => ({ role: 'user', content })
const assistant = (content: string): ChatMessage => ({ role: 'assistant', content, toolCalls: [] })

/** Counts what it renders. */
function counting (render: (messages: readonly ChatMessage[]) => number[]): { render: Render; lengths: number[] } {
  const lengths: number[] = []
  return { lengths, render: async messages => { lengths.push(messages.length); return Int32Array.from(render(messages)) } }
}

t.test('whatever is said, the prompt is the tokens so far and what the template puts behind them', async t => {
  const content = fc.string({ unit: 'grapheme', maxLength: 12 })
  // How a completion ends: with the end that it sampled, without one (cut by its length), or with what follows the end as well.
  const ends = fc.constantFrom<number[][]>([endToken], [], [endToken, 10])
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(content, content, ends), { minLength: 1, maxLength: 5 }), content, async (turns, last) => {
    const prompts = createPrompts(closingTokensMax)
    const { render, lengths } = counting(renderFake)
    let messages: ChatMessage[] = [{ role: 'system', content: 's' }]
    let tokensSoFar: Int32Array | null = null
    let messagesSoFar = 0
    for (const [said, answered, end] of turns) {
      messages = [...messages, user(said)]
      const prompt: Int32Array = await prompts.tokensOf(askOf({ messages, tokensSoFar, messagesSoFar }), render)
      t.same([...prompt], renderFake(messages))
      tokensSoFar = Int32Array.from([...prompt, ...encode(answered), ...end])
      messages = [...messages, assistant(answered)]
      messagesSoFar = messages.length
    }
    messages = [...messages, user(last), user('and')]
    t.same([...await prompts.tokensOf(askOf({ messages, tokensSoFar, messagesSoFar }), render)], renderFake(messages))
    t.ok(lengths.slice(1).every(length => length <= 4), 'what was said before is not rendered again')
  }), { numRuns: 100 })
})

t.test('a template that drops thoughts of earlier turns does not make the prompt fork', async t => {
  // As Qwen3 does it: a last answer is shown with its thoughts, an earlier one without.
  const thinking = (messages: readonly ChatMessage[]): number[] => renderFake(messages.map((message, index) => ({
    ...message,
    content: message.role !== 'assistant' ? message.content : index === messages.length - 1 ? `<think></think>${message.content}` : message.content.replace(/<think>.*<\/think>/, '')
  })))
  const { render } = counting(thinking)
  const first = [user('q')]
  const sampled = [...encode('<think>hm</think>a'), endToken]
  const tokensSoFar = Int32Array.from([...thinking(first), ...sampled])
  const messages = [...first, assistant('<think>hm</think>a'), user('go on')]
  const prompt = await createPrompts(closingTokensMax).tokensOf(askOf({ messages, tokensSoFar, messagesSoFar: 2 }), render)
  t.same([...prompt], [...tokensSoFar, 10, startToken, ...encode('user\ngo on'), endToken, 10, startToken, ...encode('assistant\n')])
})

t.test('what closes a turn is looked for up to closingTokensMax', async t => {
  const closing = encode('</turn>')
  const render = (messages: readonly ChatMessage[]): number[] => messages.flatMap(message => [...encode(message.content), ...closing])
  const ask = askOf({ messages: [user('q'), assistant('a'), user('x')], tokensSoFar: Int32Array.from([...render([user('q')]), ...encode('a'), ...closing]), messagesSoFar: 2 })
  t.same([...await createPrompts(7).tokensOf(ask, counting(render).render)], render(ask.messages))
  t.same([...await createPrompts(6).tokensOf(ask, counting(render).render)], [...ask.tokensSoFar!, ...closing, ...render([user('x')])])
})

t.test('what cannot be gone on from is tokenised anew as a whole', async t => {
  const whole = async (name: string, messages: ChatMessage[], messagesSoFar: number, render: (messages: readonly ChatMessage[]) => number[]): Promise<void> => {
    const prompt = await createPrompts(closingTokensMax).tokensOf(askOf({ messages, tokensSoFar: Int32Array.of(1, 2, 3), messagesSoFar }), counting(render).render)
    t.same([...prompt], render(messages), name)
  }
  const turn = [user('q'), assistant('a')]
  await whole('no new message', turn, 2, renderFake)
  await whole('a new message that is not the user\'s', [...turn, user('x'), assistant('y'), user('z')], 2, renderFake)
  await whole('a template that does not show what was answered', [...turn, user('x')], 2, messages => renderFake(messages.filter(message => message.role !== 'assistant')))
  await whole('a template whose beginning depends on the end', [...turn, user('x')], 2, messages => [...encode(messages.at(-1)!.content), ...renderFake(messages)])
  await whole('a template with the newest in front', [...turn, user('x')], 2, messages => renderFake([...messages].reverse()))
})

t.test('a turn that is cancelled while the template is looked at leaves the next one as it was', async t => {
  const prompts = createPrompts(closingTokensMax)
  const ask = askOf({ messages: [user('q'), assistant('a'), user('x')], tokensSoFar: Int32Array.from([...renderFake([user('q')]), ...encode('a'), endToken]), messagesSoFar: 2 })
  await t.rejects(prompts.tokensOf(ask, async () => { throw new Error('gone') }), { message: 'gone' })
  t.same([...await prompts.tokensOf(ask, counting(renderFake).render)], renderFake(ask.messages))
})
