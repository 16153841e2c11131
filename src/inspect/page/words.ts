// Figures and times as people read them.

export const missing = '–'

export const count = (value: number | null): string => value === null ? missing : value.toLocaleString('en')

export const share = (value: number | null): string => value === null ? missing : `${Math.round(value * 100)} %`

/** A reward: its sign always, two decimals. */
export function reward (value: number | null): string {
  if (value === null) return missing
  return value === 0 ? '0.00' : `${value > 0 ? '+' : '−'}${Math.abs(value).toFixed(2)}`
}

/** How long: `412 ms`, `3.2 s`, `4 min 05 s`, `2 h 03 min`, `3 d 4 h`. */
export function duration (ms: number | null): string {
  if (ms === null) return missing
  if (ms < 0) return '0 s'
  if (ms < 1000) return `${Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 60) return `${Math.floor(seconds)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${pad(Math.floor(seconds % 60))} s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${pad(minutes % 60)} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** For what ticks: no milliseconds, no tenths. */
export const ticking = (ms: number): string => duration(Math.max(1000, Math.floor(ms / 1000) * 1000)).replace('.0', '')

const pad = (value: number): string => String(value).padStart(2, '0')

export function clockTime (at: number): string {
  const date = new Date(at)
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

/** Time since something began: `0:07.250`, `12:07.250`, `1:02:07.250`; `digits` of its milliseconds. */
export function sinceStart (ms: number, digits: 0 | 1 | 3 = 3): string {
  const seconds = Math.floor(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const clock = hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds % 60)}` : `${minutes}:${pad(seconds % 60)}`
  return digits === 0 ? clock : `${clock}.${String(Math.floor(ms % 1000)).padStart(3, '0').slice(0, digits)}`
}

export function bytes (value: number): string {
  if (value < 1024) return `${value} B`
  const units = ['KiB', 'MiB', 'GiB']
  let scaled = value / 1024
  let unit = 0
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024
    unit++
  }
  return `${scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)} ${units[unit]!}`
}

export const plural = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`

/** `policy_fault` as `policy fault`. */
export const spaced = (word: string): string => word.replaceAll('_', ' ')

/** A list in a sentence: `a, b and c`. */
export const listed = (words: string[]): string => words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)!}`

/** An event as a chart says it: `xstate.done.actor.ask` as `done ask`. */
export function eventWords (event: string): string {
  const [, ending, name] = /^xstate\.(done|error)\.(?:actor|state)\.(.*)$/s.exec(event) ?? []
  if (ending !== undefined) return `${ending === 'done' ? 'done' : 'failed'} ${name!}`
  if (event === 'xstate.init') return 'start'
  return event.startsWith('xstate.after.') ? `after ${event.split('.')[2]!}` : event
}
