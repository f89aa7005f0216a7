/** What is done at a relay with files for people who are away: brought to a drop, handed to whoever has the mailbox. */

import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Json, PushTalk } from '../src/box/push-talk.ts'
import { readFrom, readRelayedFile, readTag } from '../src/box/relayed-file.ts'
import { type FileShelf, type KeptFile, lyingOf } from './file-shelf.ts'

type AtDrop = 'store' | 'bring' | 'stored' | 'unstore'
type ByOwner = 'stored' | 'hand' | 'unstore'

const GONE = 'This is not kept here any more.'

/** For whoever names a drop. Fails with PUSH_REFUSED, RELAY_REFUSED. */
export async function takeFile(
  talk: PushTalk,
  drop: Uint8Array,
  kind: AtDrop,
  body: Json,
  files: FileShelf | null,
): Promise<void> {
  const shelf = mustKeep(files)
  switch (kind) {
    case 'store':
      return talk.answer(lyingOf(shelf.begin(drop, readRelayedFile(body))))
    case 'bring':
      await takeParts(talk, shelf, shelf.find(drop, readTag(body)), readFrom(body))
      return talk.answer({})
    case 'stored':
      return talk.answer(lyingOf(shelf.find(drop, readTag(body))))
    case 'unstore':
      return end(talk, shelf, shelf.find(drop, readTag(body)))
  }
}

/** What has come when it breaks off stays: it is gone on with behind that. */
async function takeParts(
  talk: PushTalk,
  shelf: FileShelf,
  kept: KeptFile | null,
  from: number,
): Promise<void> {
  if (!kept) throw new BoxError('PUSH_REFUSED', GONE)
  if (from !== kept.has) throw new BoxError('PUSH_REFUSED', 'The parts do not go on where it ends.')
  const pen = shelf.write(kept)
  try {
    await talk.takeEach(kept.count - kept.has, part => pen.append(part))
  } finally {
    pen.close()
  }
}

function end(talk: PushTalk, shelf: FileShelf, kept: KeptFile | null): void {
  if (kept) shelf.remove(kept)
  talk.answer({})
}

/** For whoever has a mailbox: nothing but what lies in drops of theirs. Fails with PUSH_REFUSED. */
export async function handFile(
  talk: PushTalk,
  owner: ZoneKey,
  kind: ByOwner,
  body: Json,
  files: FileShelf | null,
): Promise<void> {
  const shelf = mustKeep(files)
  const kept = shelf.findFor(owner, readTag(body))
  switch (kind) {
    case 'stored':
      return talk.answer(lyingOf(kept))
    case 'hand': {
      const from = readFrom(body)
      if (!kept || from > kept.has) throw new BoxError('PUSH_REFUSED', GONE)
      talk.answer(lyingOf(kept))
      return await talk.sendEach(partsOf(shelf, kept, from), () => {})
    }
    case 'unstore':
      return end(talk, shelf, kept)
  }
}

function mustKeep(files: FileShelf | null): FileShelf {
  if (files) return files
  throw new BoxError('PUSH_REFUSED', 'This relay keeps no files.')
}

/** Each is read when it is its turn. */
function* partsOf(shelf: FileShelf, kept: KeptFile, from: number): Iterable<Uint8Array> {
  for (let index = from; index < kept.has; index++) yield shelf.part(kept, index)
}
