/**
 * What a program prints on a terminal, read one control sequence after the other, for whoever shows it on another
 * terminal later, or elsewhere: modes are remembered, and what would have that terminal answer, ring, or change
 * something outside the screen is left out.
 *
 * Sequences as in ECMA-48 and xterm's "Control Sequences".
 */

/** A sequence that is longer holds data (a picture, a clipboard), and asks nothing. */
const SEQUENCE_MAX = 1_024

const BELL = 7
const ENQUIRY = 5
const CANCEL = 0x18
const SUBSTITUTE = 0x1a
const ESCAPE = 0x1b
const BACKSLASH = 0x5c

/** Private modes that are kept: keys and keypad, wrapping, cursor, mouse, focus, the other screen, pasting. */
const MODES = new Set([1, 7, 25, 47, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1047, 1049, 2004])
/** Of these, the ones a terminal has set by itself: wrapping, and a cursor that is seen. */
const SET_AT_FIRST = new Set(['7', '25'])

type Inside = 'text' | 'escape' | 'control' | 'string'

/** Reads what is printed, one sequence after the other, and remembers which modes were set. */
export class SequenceReader {
  private inside: Inside = 'text'
  private sequence: number[] = []
  /** The sequence was too long, and is passed on as it comes. */
  private isLong = false
  private lastByte = 0
  private set = new Map<string, string>()

  clone(): SequenceReader {
    const copy = new SequenceReader()
    copy.inside = this.inside
    copy.sequence = [...this.sequence]
    copy.isLong = this.isLong
    copy.lastByte = this.lastByte
    copy.set = new Map(this.set)
    return copy
  }

  modes(): Uint8Array {
    return new TextEncoder().encode([...this.set.values()].join(''))
  }

  /** What gives a terminal back as it was before these modes were set. */
  undo(): Uint8Array {
    const undone = [...this.set.keys()].map(name => {
      if (name === 'keypad') return '\x1b>'
      if (name === 'region') return '\x1b7\x1b[r\x1b8'
      return `\x1b[?${name}${SET_AT_FIRST.has(name) ? 'h' : 'l'}`
    })
    return new TextEncoder().encode(`${undone.join('')}\x1b[0m`)
  }

  /** What of it can be shown again: no questions, no bell, no sequence that has not ended. */
  pass(bytes: Uint8Array): Uint8Array {
    const shown = new Uint8Array(bytes.length + this.sequence.length)
    let size = 0
    const show = (sequence: readonly number[]) => {
      shown.set(sequence, size)
      size += sequence.length
    }
    for (const byte of bytes) {
      if (this.inside === 'text' && byte !== ESCAPE) {
        if (byte !== BELL && byte !== ENQUIRY) shown[size++] = byte
        continue
      }
      const hasEnded = this.step(byte)
      if (this.sequence.length > SEQUENCE_MAX) this.isLong = true
      if (this.isLong || (hasEnded && this.isShown(this.sequence))) show(this.sequence)
      if (this.isLong || hasEnded) this.sequence = []
      if (hasEnded) this.isLong = false
    }
    return shown.subarray(0, size)
  }

  /** One more byte of a sequence; whether that was its last. */
  private step(byte: number): boolean {
    const before = this.lastByte
    this.lastByte = byte
    // Another sequence begins in the middle of this one, which is void.
    if (byte === ESCAPE && this.inside !== 'string') {
      this.inside = 'escape'
      this.sequence = [byte]
      return false
    }
    this.sequence.push(byte)
    switch (this.inside) {
      case 'escape':
        if (byte >= 0x20 && byte <= 0x2f) return false
        this.inside = insideAfter(byte)
        return this.inside === 'text'
      case 'control':
        if (byte >= 0x20 && byte <= 0x3f) return false
        this.inside = 'text'
        return true
      default: {
        const isEnd = byte === BELL || byte === CANCEL || byte === SUBSTITUTE
        if (!isEnd && !(byte === BACKSLASH && before === ESCAPE)) return false
        this.inside = 'text'
        return true
      }
    }
  }

  private isShown(sequence: readonly number[]): boolean {
    const [kind, ...rest] = String.fromCharCode(...sequence.slice(1))
    const body = rest.join('')
    switch (kind) {
      case '[':
        return this.isControlShown(body)
      case ']':
        // Questions about colours; clipboard and notifications are not to be repeated.
        return !/^(52|9|777);|;\?\p{Cc}+\\?$/u.test(body)
      case 'P':
        return !/^[$+]q/.test(body)
      case 'c':
        this.set.clear()
        return true
      case '=':
      case '>':
        this.set.set('keypad', `\x1b${kind}`)
        return true
      default:
        return kind !== undefined && !'Z_^X'.includes(kind)
    }
  }

  private isControlShown(body: string): boolean {
    const final = body.at(-1)
    if (body === '!p') this.set.clear()
    if (body.startsWith('?') && (final === 'h' || final === 'l'))
      for (const mode of body.slice(1, -1).split(';'))
        if (MODES.has(Number(mode))) this.set.set(mode, `\x1b[?${mode}${final}`)
    if (final === 'r' && /^[\d;]*r$/.test(body)) this.set.set('region', `\x1b[${body}`)
    // Who are you, where is the cursor, how large is the window, print this page.
    const isQuestion = /[cnxti]$|\$p$|^>.*q$|^\?.*[uS]$/.test(body)
    return !isQuestion
  }
}

function insideAfter(byte: number): Inside {
  if (byte === 0x5b) return 'control'
  return 'P]X^_'.includes(String.fromCharCode(byte)) ? 'string' : 'text'
}
