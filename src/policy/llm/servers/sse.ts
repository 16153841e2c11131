// Server-sent events, as far as inference servers use them: the data of each event, in order. Bytes come in any pieces: an
// event, a line ending or a character may be cut anywhere.

import { StringDecoder } from 'node:string_decoder'

export interface EventReader {
  /** Takes the next bytes; calls back once for each event that they complete. */
  push (bytes: Uint8Array): void
  /** Characters of the event that is not complete yet. */
  readonly pending: number
}

export function createEventReader (onData: (data: string) => void): EventReader {
  const decoder = new StringDecoder('utf8')
  let line = ''
  let data: string[] = []
  let dataLength = 0
  // A line ends with CR, LF or both. After a CR an LF belongs to it, though it may come with the next bytes.
  let afterReturn = false
  let atStart = true

  const endLine = (): void => {
    if (line === '') {
      if (data.length > 0) onData(data.join('\n'))
      data = []
      dataLength = 0
    } else if (line === 'data' || line.startsWith('data:')) {
      const value = line.slice(line[5] === ' ' ? 6 : 5)
      data.push(value)
      dataLength += value.length
    }
    // Every other field (event, id, retry) and comments say nothing that is needed here.
    line = ''
  }

  const take = (text: string): void => {
    let from = 0
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code !== 10 && code !== 13) {
        afterReturn = false
        continue
      }
      if (code === 10 && afterReturn) {
        afterReturn = false
        from = at + 1
        continue
      }
      line += text.slice(from, at)
      from = at + 1
      afterReturn = code === 13
      endLine()
    }
    line += text.slice(from)
  }

  return {
    push (bytes) {
      const text = decoder.write(bytes as Buffer)
      if (text === '') return
      take(atStart && text.charCodeAt(0) === 0xFEFF ? text.slice(1) : text)
      atStart = false
    },
    get pending () { return line.length + dataLength }
  }
}
