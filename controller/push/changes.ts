/** What a bundle would change on a device, asked of the device itself; with differences where they can be shown. */

import { utf8 } from '../../src/box/bundle/bundle.ts'
import { LIMITS } from '../../src/box/bundle/limits.ts'
import type { MadeOut } from '../../src/box/bundle/make-out.ts'
import { type FileChange, readChanges } from '../../src/box/push-report.ts'
import type { PushTalk } from '../../src/box/push-talk.ts'
import { handOver } from './delivery.ts'
import { lineDiff } from './line-diff.ts'

export interface ShownChange extends FileChange {
  /** As of `diff -u`; empty where nothing is shown. */
  readonly lines: readonly string[]
}

/** Fails as the device refuses it. */
export async function changesOn(
  talk: PushTalk,
  made: MadeOut,
  { differences }: { readonly differences: boolean },
): Promise<readonly ShownChange[]> {
  await handOver(talk, made)
  const changes = readChanges(await talk.ask('plan', {}))
  const shown: ShownChange[] = []
  for (const change of changes)
    shown.push({ ...change, lines: differences ? await linesOf(talk, made, change) : [] })
  return shown
}

async function linesOf(
  talk: PushTalk,
  { plain, release }: MadeOut,
  { path, what }: FileChange,
): Promise<readonly string[]> {
  const file = release.files.find(one => one.path === path)
  if (file?.is === 'sealed') return ['a secret: not shown']
  if (!file && what !== 'removed') return ['as it was before the first push']
  const before = what === 'new' ? new Uint8Array(0) : await read(talk, path)
  const [old, fresh] = [utf8(before), utf8(plain.get(path) ?? new Uint8Array(0))]
  if (old === null || fresh === null) return ['no text: not shown']
  return lineDiff(old, fresh)
}

const read = async (talk: PushTalk, path: string): Promise<Uint8Array> =>
  (await talk.fetch('read', { path }, LIMITS.fileBytes))[1]

const MARKS = { new: '+', changed: '~', removed: '-', access: '~' } as const

/** For people: `~ /etc/motd`, then the differences. */
export const changeLines = ({ path, what, lines }: ShownChange): readonly string[] => [
  `${MARKS[what] ?? '?'} ${path}${what === 'access' ? ' (mode or owner)' : ''}`,
  ...lines.map(line => `    ${line}`),
]
