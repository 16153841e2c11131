// A streaming scanner of XML, for reports. It hands on tags with their attributes and passes over text, comments and
// sections of character data without keeping them, so that megabytes of captured output cost no memory. A document type
// is refused: entities of its own are how small documents grow. Elements have to close in order.
//
// Why not a general parser: those keep the text of an element whole, whatever its size.

export interface XmlLimits {
  /** Of a longer tag only so much is read: attributes that end within. */
  tagBytesMax: number
  depthMax: number
}

export interface XmlSink {
  open (name: string, attributes: (name: string) => string | null): void
  close (name: string): void
  /** Not well formed; nothing is read behind it. */
  bad (what: string): void
}

type State = 'text' | 'tag' | 'comment' | 'cdata' | 'instruction' | 'stopped'
const endings = { comment: Buffer.from('-->'), cdata: Buffer.from(']]>'), instruction: Buffer.from('?>') }
const less = 0x3c
const more = 0x3e
const nameCharsMax = 256
const namesMax = 256

export class XmlScanner {
  readonly #sink: XmlSink
  readonly #limits: XmlLimits
  readonly #stack: string[] = []
  /** Names that were seen to be good. */
  readonly #names = new Set<string>()
  readonly #attributes = new Attributes()
  #state: State = 'text'
  /** Bytes of an unfinished tag or ending, from the chunks before. */
  #rest: Buffer = Buffer.alloc(0)
  /** The tag is longer than the limit: only its end is looked for. */
  #long = false
  #quote = 0
  #slash = false
  #begun = false

  constructor (sink: XmlSink, limits: XmlLimits) {
    this.#sink = sink
    this.#limits = limits
  }

  /** Whether elements are open. */
  get open (): boolean {
    return this.#state !== 'stopped' && (this.#stack.length > 0 || this.#state !== 'text')
  }

  write (chunk: Uint8Array): void {
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    if (this.#rest.length > 0) {
      bytes = Buffer.concat([this.#rest, bytes])
      this.#rest = Buffer.alloc(0)
    }
    let at = 0
    while (at < bytes.length && this.#state !== 'stopped') {
      if (this.#state === 'text') at = this.#text(bytes, at)
      else if (this.#state === 'tag') at = this.#tag(bytes, at)
      else at = this.#pass(bytes, at, endings[this.#state])
    }
  }

  #text (bytes: Buffer, at: number): number {
    const found = bytes.indexOf(less, at)
    if (found === -1) return bytes.length
    if (bytes.length - found < 9 && this.#undecided(bytes, found)) {
      this.#rest = Buffer.from(bytes.subarray(found))
      return bytes.length
    }
    const next = bytes[found + 1]
    if (next === 0x3f) this.#state = 'instruction'
    else if (next === 0x21) this.#declaration(bytes, found)
    else this.#state = 'tag'
    return found + 1
  }

  /** `<`, `<!` and `<![CDA` may become different things. */
  #undecided (bytes: Buffer, at: number): boolean {
    const next = bytes[at + 1]
    if (next === undefined) return true
    if (next !== 0x21) return false
    const head = bytes.toString('latin1', at, at + 9)
    return '<![CDATA['.startsWith(head) ? head.length < 9 : '<!--'.startsWith(head) && head.length < 4
  }

  #declaration (bytes: Buffer, at: number): void {
    const head = bytes.toString('latin1', at, at + 9)
    if (head.startsWith('<!--')) this.#state = 'comment'
    else if (head === '<![CDATA[') this.#state = 'cdata'
    else this.#stop('it has a document type or another declaration, which is refused')
  }

  #pass (bytes: Buffer, at: number, ending: Buffer): number {
    const found = bytes.indexOf(ending, at)
    if (found !== -1) {
      this.#state = 'text'
      return found + ending.length
    }
    const kept = Math.min(ending.length - 1, bytes.length - at)
    this.#rest = Buffer.from(bytes.subarray(bytes.length - kept))
    return bytes.length
  }

  /** `at` is behind `<`, or behind what was passed over of a long tag. */
  #tag (bytes: Buffer, at: number): number {
    let end = at
    let quote = this.#long ? this.#quote : 0
    while (end < bytes.length) {
      const byte = bytes[end]!
      if (quote !== 0) {
        end = bytes.indexOf(quote, end)
        if (end === -1) end = bytes.length
        else { quote = 0; end++ }
        continue
      }
      if (byte === more) break
      if (byte === 0x22 || byte === 0x27) quote = byte
      else if (byte === less) return this.#stop('"<" stands inside of a tag')
      end++
    }
    if (end >= bytes.length) return this.#unfinished(bytes, at, quote)
    if (this.#long) {
      const slash = end > at ? bytes[end - 1] === 0x2f : this.#slash
      this.#long = false
      if (slash) this.#close(this.#stack.at(-1)!)
    } else this.#element(bytes, at, end)
    if (this.#state === 'tag') this.#state = 'text'
    return end + 1
  }

  #unfinished (bytes: Buffer, at: number, quote: number): number {
    if (this.#long || bytes.length - at > this.#limits.tagBytesMax) {
      // Too long: what is here decides name and attributes, the rest is passed over.
      if (!this.#long) this.#element(bytes, at, bytes.length)
      this.#slash = bytes.at(-1) === 0x2f
      this.#quote = quote
      this.#long = this.#state !== 'stopped'
    } else this.#rest = Buffer.from(bytes.subarray(at))
    return bytes.length
  }

  #element (bytes: Buffer, start: number, end: number): void {
    const closing = bytes[start] === 0x2f
    const from = closing ? start + 1 : start
    let stop = from
    while (stop < end && !isSpace(bytes[stop]!) && bytes[stop] !== 0x2f) stop++
    const name = bytes.toString('utf8', from, Math.min(stop, from + nameCharsMax))
    if (!this.#isName(name)) return void this.#stop(`"<${name.slice(0, 40)}" is no element`)
    if (closing) return this.#close(name)
    if (this.#stack.length === 0 && this.#begun && name !== 'testsuites' && name !== 'testsuite') return void this.#stop('it goes on behind its end')
    this.#begun = true
    if (this.#stack.length >= this.#limits.depthMax) return void this.#stop(`elements are nested deeper than ${this.#limits.depthMax} (depthMax)`)
    this.#stack.push(name)
    this.#attributes.of(bytes, stop, end)
    this.#sink.open(name, this.#attributes.get)
    if (bytes[end] === more && bytes[end - 1] === 0x2f) this.#close(name)
  }

  #isName (name: string): boolean {
    if (this.#names.has(name)) return true
    const good = /^[\p{L}_:][\p{L}\p{N}_:.·-]*$/u.test(name)
    if (good && this.#names.size < namesMax) this.#names.add(name)
    return good
  }

  #close (name: string): void {
    if (this.#stack.pop() !== name) return void this.#stop(`"</${name.slice(0, 40)}>" closes what is not open`)
    this.#sink.close(name)
  }

  #stop (what: string): number {
    this.#state = 'stopped'
    this.#sink.bad(what)
    return Number.MAX_SAFE_INTEGER
  }
}

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

const attributesMax = 64

/** The attributes of one tag. They are found on the first question, and decoded when they are asked for. */
class Attributes {
  #bytes: Buffer = Buffer.alloc(0)
  #from = 0
  #end = 0
  #count = -1
  /** Of each: start and end of its name, start and end of its value. */
  readonly #places = new Int32Array(4 * attributesMax)

  of (bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes
    this.#from = start
    this.#end = end
    this.#count = -1
  }

  readonly get = (wanted: string): string | null => {
    if (this.#count === -1) this.#find()
    for (let index = 0; index < 4 * this.#count; index += 4) {
      const places = this.#places
      if (same(this.#bytes, places[index]!, places[index + 1]!, wanted)) return decode(this.#bytes.toString('utf8', places[index + 2], places[index + 3]))
    }
    return null
  }

  #find (): void {
    const bytes = this.#bytes
    const end = this.#end
    let at = this.#from
    for (this.#count = 0; this.#count < attributesMax; this.#count++) {
      while (at < end && isSpace(bytes[at]!)) at++
      const start = at
      while (at < end && bytes[at] !== 0x3d && !isSpace(bytes[at]!)) at++
      const stop = at
      while (at < end && bytes[at] !== 0x22 && bytes[at] !== 0x27) at++
      const close = at < end ? bytes.indexOf(bytes[at]!, at + 1) : -1
      if (close === -1 || close >= end) return
      this.#places.set([start, stop, at + 1, close], 4 * this.#count)
      at = close + 1
    }
  }
}

function same (bytes: Buffer, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false
  for (let at = 0; at < text.length; at++) if (bytes[start + at] !== text.charCodeAt(at)) return false
  return true
}

const entities: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/** Unknown entities stay as they are: without a document type there are none. */
function decode (text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(lt|gt|amp|quot|apos));/g, (whole, hex: string | undefined, decimal: string | undefined, name: string | undefined) => {
    if (name !== undefined) return entities[name]!
    const code = hex !== undefined ? parseInt(hex, 16) : Number(decimal)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}
