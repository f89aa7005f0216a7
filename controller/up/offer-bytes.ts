/**
 * The bytes of an offered file, for whoever reads them here: of one that is held, each piece compared with its tree; of one
 * that is being fetched, as they come. The last byte is kept back until all of it was found right, so that what was cut
 * short, or is another file, never looks whole.
 */

import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import type { FileOffer } from '../../src/social/file-offer.ts'
import { chunkCount } from '../../src/social/file-tree.ts'
import type { Context } from '../context.ts'
import { unusable } from '../file-side.ts'
import type { HeldFile } from '../files/file-book.ts'
import { type GetOptions, getFile } from '../files/getting.ts'
import type { Offered } from '../files/offers.ts'
import { partPath } from '../files/part-file.ts'
import { PlantedFile } from '../files/tree-file.ts'
import type { SealedState } from '../talk/sealed-state.ts'

const AT_ONCE = 262_144

export interface FetchedBytes {
  readonly offer: FileOffer
  readonly bytes: AsyncIterable<Uint8Array>
}

/** Null where it is not there any more, or another one. Its end fails with FILE_UNKNOWN where it was changed meanwhile. */
export function heldBytes(
  { path, offer }: HeldFile,
  treePath: string,
): AsyncIterable<Uint8Array> | null {
  let planted: PlantedFile
  try {
    planted = new PlantedFile(path, treePath, offer.size)
    if (offer.size > 0 && !planted.chunk(0)) {
      planted.close()
      return null
    }
  } catch {
    return null
  }
  return (async function* () {
    try {
      for (let i = 0; offer.size > 0 && i < chunkCount(offer.size); i++) {
        const chunk = planted.chunk(i)
        if (!chunk) throw new BoxError('FILE_UNKNOWN', 'It was changed since it was offered.')
        yield chunk.plain
      }
    } finally {
      planted.close()
    }
  })()
}

interface FetchOptions extends GetOptions {
  /** However it ends. */
  ended(): void
}

/** Begins to fetch; resolves when some of it is here. Fails as getFile. */
export async function fetchedBytes(
  context: Context,
  sealed: SealedState,
  offered: Offered,
  { ended, step, ...options }: FetchOptions,
): Promise<AsyncIterable<Uint8Array>> {
  const growth = new Growth()
  const getting = getFile(context, sealed, offered, {
    ...options,
    step: done => {
      step(done)
      growth.grow(done)
    },
  })
  const over = (failure: unknown) => {
    ended()
    growth.end(failure)
  }
  void getting.then(
    () => over(null),
    error => over(error),
  )
  await growth.beyond(0)
  return read(growth, offered.offer, options.target)
}

/** How much there is of something that grows, and whether it has ended. */
class Growth {
  done = 0
  isOver = false
  private failure: unknown = null
  private wake = () => {}

  grow(done: number): void {
    this.done = done
    this.wake()
  }

  end(failure: unknown): void {
    this.failure = failure
    this.isOver = true
    this.wake()
  }

  /** Until there is more than so much, or no more comes. Fails as what ended it. */
  async beyond(sent: number): Promise<void> {
    while (!this.isOver && this.done <= sent)
      await new Promise<void>(resolve => {
        this.wake = resolve
      })
    if (this.failure !== null) throw this.failure
  }
}

async function* read(growth: Growth, offer: FileOffer, target: string): AsyncGenerator<Uint8Array> {
  let sent = 0
  let file: FileHandle | null = null
  try {
    for (;;) {
      const { done, isOver } = growth
      file ??= await opened(partPath(dirname(target), offer), target)
      const until = isOver ? offer.size : Math.min(done, offer.size - 1)
      while (sent < until) {
        const piece = new Uint8Array(Math.min(AT_ONCE, until - sent))
        const { bytesRead } = await file.read(piece, 0, piece.length, sent)
        if (bytesRead === 0) throw new BoxError('FILE_DAMAGED', 'It became shorter.')
        sent += bytesRead
        yield piece.subarray(0, bytesRead)
      }
      if (isOver) return
      await growth.beyond(done)
    }
  } finally {
    await file?.close()
  }
}

/** The file, which has one name while it comes, and another one then. */
const opened = (part: string, target: string): Promise<FileHandle> =>
  open(part)
    .catch(() => open(target))
    .catch(unusable(target))
