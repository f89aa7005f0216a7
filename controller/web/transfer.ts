/** Files between this machine and a device, or somebody else, through `box up`, with how far they are. */

import { ask, fetched, ownKey, Refused, reasonOf, refusedOf } from './api.ts'

export interface FileLooks {
  readonly path: string
  readonly kind: 'file' | 'directory' | 'link' | 'other'
  readonly size: number
}

/** Told how many bytes of how many have gone; null where nobody knows how many there are. */
type Moved = (bytes: number, of: number | null) => void

interface Options {
  readonly moved: Moved
  readonly signal: AbortSignal
}

/** All of it is kept by the browser before it is a file here: of more than this, `box cp` is the better way. */
export const DOWNLOAD_MAX = 2_000_000_000

/** The file as the browser keeps it. Fails with Refused, or a TypeError. */
export async function download(path: string, { moved, signal }: Options): Promise<Blob> {
  const answer = await fetched(path, { signal })
  const length = answer.headers.get('content-length')
  const of = length === null ? null : Number(length)
  let bytes = 0
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform: (piece, to) => {
      bytes += piece.length
      moved(bytes, of)
      to.enqueue(piece)
    },
  })
  try {
    return await new Response(answer.body!.pipeThrough(counted)).blob()
  } catch {
    // What the stream fails with then is none of these, but for the browser's own.
    signal.throwIfAborted()
    throw new Refused(0, 'LOST', 'It broke off: the other side or box up is out of reach.')
  }
}

/** Has the browser keep it as a file, under this name. */
export function keep(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), RELEASED_MS)
}

/** The browser has begun to write it by then. */
const RELEASED_MS = 60_000

/** Null where there is nothing of this name. Fails with Refused, or a TypeError. */
export async function entryAt(path: string, signal: AbortSignal): Promise<FileLooks | null> {
  try {
    return await ask<FileLooks>(path, { signal })
  } catch (error) {
    if (error instanceof Refused && error.code === 'FILE_UNKNOWN') return null
    throw error
  }
}

/** With XMLHttpRequest: nothing else tells how far what is sent has come. What is answered. Fails as `download`. */
export function upload(
  path: string,
  file: File,
  { moved, signal, method = 'PUT' }: Options & { readonly method?: 'POST' | 'PUT' },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    const stop = () => request.abort()
    signal.addEventListener('abort', stop, { once: true })
    request.upload.onprogress = ({ loaded }) => moved(loaded, file.size)
    request.onload = () => {
      if (request.status === 200) resolve(request.responseText)
      else reject(refusedOf(request.status, request.responseText))
    }
    request.onerror = () => reject(new TypeError('It broke off.'))
    request.onabort = () => reject(new DOMException('It was ended.', 'AbortError'))
    request.onloadend = () => signal.removeEventListener('abort', stop)
    request.open(method, path)
    request.setRequestHeader('x-box-key', ownKey() ?? '')
    request.setRequestHeader('content-type', 'application/octet-stream')
    request.send(file)
  })
}

/** What went wrong, for people; null where they have ended it themselves. */
export const whyNot = (error: unknown): string | null =>
  error instanceof DOMException && error.name === 'AbortError' ? null : reasonOf(error)
