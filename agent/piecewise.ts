/**
 * Reads a stream in the pieces in which it arrives. The iterator of a Readable joins all that waits to one buffer: on a
 * device that takes a file more slowly than it comes, that is a copy of up to a window of SSH, 2 MB, each time, and
 * memory that glibc does not give back.
 */

import { finished, type Readable } from 'node:stream'

/**
 * Nothing more is read while a piece is in hand, unless somebody else resumes the stream, as Node does with what a program
 * has printed when it ends: that waits. Throws what the stream fails with, also where it is cut off.
 */
export async function* piecewise(stream: Readable): AsyncGenerator<Uint8Array, undefined> {
  const pieces: Uint8Array[] = []
  let isOver = false
  let failure: Error | null | undefined
  let wake: () => void = () => {}
  const arrived = (chunk: Uint8Array) => {
    stream.pause()
    pieces.push(chunk)
    wake()
  }
  const forget = finished(stream, { writable: false }, error => {
    isOver = true
    failure = error
    wake()
  })
  stream.on('data', arrived)
  try {
    for (;;) {
      const piece = pieces.shift()
      if (piece) yield piece
      else if (failure) throw failure
      else if (isOver) return
      else {
        stream.resume()
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    }
  } finally {
    stream.off('data', arrived)
    stream.pause()
    forget()
  }
}
