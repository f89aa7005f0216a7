/** A passphrase: typed without being shown, or the first line of standard input where nobody sits there. */

import type { Readable } from 'node:stream'
import type { ReadStream } from 'node:tty'
import { BoxError } from '../src/base/errors.ts'
import type { Context } from './context.ts'

const LINE_MAX = 1_024
const ENTER = ['\r', '\n']
const ERASE = ['\b', '\u007f']
const INTERRUPT = '\u0003'

/** Asks once, or twice where a mistake would be found too late. Fails with INPUT_INVALID. */
export async function askPassphrase(
  { stdio, output, signal }: Context,
  { twice }: { readonly twice: boolean },
): Promise<string> {
  const { input } = stdio
  if (!stdio.isTerminal) return firstLine(input, signal)
  const ask = async (question: string) => {
    output.prompt(question)
    const line = await hiddenLine(input as ReadStream, signal)
    output.prompt('\n')
    return line
  }
  const passphrase = await ask('Passphrase: ')
  if (twice && (await ask('Once more: ')) !== passphrase)
    throw new BoxError('INPUT_INVALID', 'The two are not the same.')
  return passphrase
}

/** What is typed up to the Enter key. */
function hiddenLine(input: ReadStream, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let line: string[] = []
    const end = (settle: () => void) => {
      input.off('data', typed)
      signal.removeEventListener('abort', aborted)
      input.setRawMode(false)
      input.pause()
      settle()
    }
    const aborted = () => end(() => reject(signal.reason))
    const typed = (chunk: Buffer | string) => {
      for (const letter of chunk.toString()) {
        if (ENTER.includes(letter)) return end(() => resolve(line.join('')))
        if (letter === INTERRUPT) return void process.kill(process.pid, 'SIGINT')
        if (ERASE.includes(letter)) line = line.slice(0, -1)
        else if (line.length < LINE_MAX) line.push(letter)
      }
    }
    input.setEncoding('utf8')
    input.setRawMode(true)
    input.on('data', typed)
    input.resume()
    signal.addEventListener('abort', aborted, { once: true })
  })
}

async function firstLine(input: Readable, signal: AbortSignal): Promise<string> {
  let text = ''
  for await (const chunk of input) {
    signal.throwIfAborted()
    text += String(chunk)
    if (text.includes('\n') || text.length > LINE_MAX) break
  }
  const [line = ''] = text.split(/\r?\n/)
  if (line === '' || line.length > LINE_MAX)
    throw new BoxError('INPUT_INVALID', 'No passphrase came on standard input.')
  return line
}
