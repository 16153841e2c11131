// The live view of a run, on standard error: on a terminal a block that is drawn anew, elsewhere one line an event, so
// that a log stays readable. It shows what the queue and the machines report; it decides nothing.

import type { Io } from './command.ts'
import { neutral } from './terminal.ts'

export interface EpisodeLine { number: number; strategy: string; state: string; detail: string; solved: number; scored: number; group: number }

export interface View {
  /** A step worth a line: `line` stands for itself on a log. */
  note (line: string): void
  episode (line: EpisodeLine): void
  progress (text: string): void
  end (): void
}

/** Milliseconds between two drawings on a terminal. */
const drawMs = 120

export function createView (io: Io, stream: NodeJS.WriteStream): View {
  return stream.isTTY ? createTerminalView(stream) : createLogView(io)
}

function createLogView (io: Io): View {
  const seen = new Map<number, string>()
  return {
    note: line => io.err(line),
    episode: line => {
      const key = `${line.state} ${line.detail}`
      if (seen.get(line.number) === key) return
      seen.set(line.number, key)
      io.err(renderEpisode(line))
    },
    progress: () => {},
    end: () => {}
  }
}

function createTerminalView (stream: NodeJS.WriteStream): View {
  const episodes = new Map<number, EpisodeLine>()
  let progress = ''
  let drawn = 0
  let timer: NodeJS.Timeout | null = null

  const erase = (): string => drawn > 0 ? `\x1b[${drawn}A\x1b[0J` : ''
  const draw = (above = ''): void => {
    const live = [...episodes.values()].filter(line => line.state !== 'done')
    const lines = [...live.map(renderEpisode), progress].filter(line => line !== '').map(line => neutral(line).replaceAll('\n', ' ').slice(0, (stream.columns ?? 80) - 1))
    stream.write(erase() + neutral(above) + lines.map(line => line + '\n').join(''))
    drawn = lines.length
  }
  const schedule = (): void => {
    timer ??= setTimeout(() => { timer = null; draw() }, drawMs)
  }
  return {
    note: line => draw(line + '\n'),
    episode: line => {
      episodes.set(line.number, line)
      if (line.state === 'done') draw(renderEpisode(line) + '\n')
      else schedule()
    },
    progress: text => { progress = text; schedule() },
    end: () => {
      if (timer) clearTimeout(timer)
      progress = ''
      draw()
    }
  }
}

function renderEpisode (line: EpisodeLine): string {
  const bar = line.state === 'solving' || line.scored > 0 ? ` ${'●'.repeat(line.solved)}${'○'.repeat(line.scored - line.solved)}${'·'.repeat(Math.max(0, line.group - line.scored))}` : ''
  return `  episode ${String(line.number).padStart(3)}  ${line.strategy.padEnd(8)} ${line.state.padEnd(10)}${bar} ${line.detail}`.trimEnd()
}
