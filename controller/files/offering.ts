/**
 * Offers a file to one person or to a room: reads it once for its tree of hashes, writes down who may have it, and says
 * so. The file stays where it is, and is handed out from there as long as it is what it was.
 */

import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { safeFileName } from '../../src/social/file-name.ts'
import { type FileOffer, newFileKey, offerId } from '../../src/social/file-offer.ts'
import { FILE_BYTES_MAX } from '../../src/social/file-tree.ts'
import { syncDirectory } from '../../src/sys/file-store.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import type { Context } from '../context.ts'
import { unusable } from '../file-side.ts'
import type { Circle, FileBook, HeldFile } from './file-book.ts'
import { plantTree } from './tree-file.ts'

const NAME_SIZE = 10
const ASIDE = { begins: '.new-', ends: '.tree' }
/** No file takes as long to read: whoever began that is gone. */
const ASIDE_MS = 24 * 3_600_000

/**
 * Takes a file in, to be handed out; nobody knows of it yet. Fails with FILE_UNKNOWN, FILE_UNUSABLE, INPUT_INVALID,
 * STATE_UNWRITABLE, and the reason of the signal.
 */
export async function takeForOffer(
  context: Context,
  files: FileBook,
  given: { readonly path: string; readonly circle: Circle; readonly step: (done: number) => void },
): Promise<HeldFile> {
  const path = realpath(given.path)
  const offer = await offerOf(context, files, path, given)
  const held: HeldFile = {
    ...{ offer, circle: given.circle, by: null, path, isWhole: true, takenBy: [], relay: null },
    at: context.clock.now(),
  }
  try {
    await files.keep(held)
  } catch (error) {
    rmSync(files.treePath(offerId(offer)), { force: true })
    throw error
  }
  return held
}

async function offerOf(
  { clock, random, signal, state }: Context,
  files: FileBook,
  path: string,
  { path: typed, step }: { readonly path: string; readonly step: (done: number) => void },
): Promise<FileOffer> {
  const name = safeFileName(basename(typed))
  sweep(state.directory, clock.now())
  const random80 = encodeBase32(random.bytes(NAME_SIZE))
  const aside = join(state.directory, `${ASIDE.begins}${random80}${ASIDE.ends}`)
  const file = openFile(path)
  try {
    const { size } = mustFit(file)
    const root = await plantTree(file, size, aside, { clock, signal, step })
    const offer: FileOffer = { name, size, root, key: newFileKey(random) }
    renameSync(aside, files.treePath(offerId(offer)))
    syncDirectory(state.directory)
    return offer
  } catch (error) {
    rmSync(aside, { force: true })
    if (error instanceof BoxError) throw error
    signal.throwIfAborted()
    return unusable(path)(error)
  } finally {
    closeSync(file)
  }
}

function realpath(path: string): string {
  try {
    return realpathSync(path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
      throw new BoxError('FILE_UNKNOWN', `${path} does not exist.`)
    return unusable(path)(cause)
  }
}

/** A pipe would not open before somebody writes. */
function openFile(path: string): number {
  try {
    if (statSync(path).isFile()) return openSync(path, 'r')
  } catch (cause) {
    return unusable(path)(cause)
  }
  throw new BoxError('FILE_UNUSABLE', `${path} is no file.`)
}

function mustFit(file: number) {
  const stat = fstatSync(file)
  if (stat.size <= FILE_BYTES_MAX) return stat
  throw new BoxError('INPUT_INVALID', `A file has at most ${FILE_BYTES_MAX} bytes.`)
}

/** Removes what processes have left that were killed. */
function sweep(directory: string, now: number): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(ASIDE.begins) || !name.endsWith(ASIDE.ends)) continue
    const stat = statSync(join(directory, name), { throwIfNoEntry: false })
    if (stat && now - stat.mtimeMs > ASIDE_MS) rmSync(join(directory, name), { force: true })
  }
}
