/** The doors between an agent and the keeper of its shells: see doors.ts. */

import { readEndedShells } from '../../agent/keeper/ended-shells.ts'
import { formatShellLabel, parseShellLabel } from '../../agent/keeper/shell-label.ts'
import { KeeperReader, readAnswer, readOrder, wordsMessage } from '../../agent/keeper/words.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { utf8 } from '../vectors.ts'
import { type ByteDoor, random, type TextDoor } from './doors.ts'

const whose = {
  id: 'aaaaaaaa',
  zone: ZoneSecret.generate('EDKEY', random).zone,
  key: '4TQ0W9ZR4TQ0W9ZR',
  user: 'ada',
}
const label = formatShellLabel({ ...whose, recorded: null })
const recordedLabel = formatShellLabel({
  ...whose,
  recorded: { recording: '0123456789abc', shell: '/bin/sh', term: 'xterm' },
})
const program = {
  ...{ file: '/bin/bash', args: ['-l'], env: { TERM: 'xterm' }, cwd: '/root' },
  ...{ columns: 80, rows: 24, as: { uid: 1, gid: 2, groups: [3] } },
}
const held = { shell: 1, pid: 2, label, startedAt: 3, silentMs: 4, cutOffAt: null }

export const KEEPER_BYTE_DOORS: readonly ByteDoor[] = [
  {
    name: 'what comes at the keeper',
    of: [],
    right: [wordsMessage({ do: 'open', program, label }), wordsMessage({ do: 'end', shell: 1 })],
    read: bytes => {
      for (const heard of new KeeperReader().push(bytes))
        if ('words' in heard) readOrder(heard.words)
    },
  },
]

export const KEEPER_TEXT_DOORS: readonly TextDoor[] = [
  {
    name: 'orders to the keeper',
    of: ['readOrder'],
    right: [
      JSON.stringify({ do: 'line', versions: [1], keepMs: 1_800_000 }),
      JSON.stringify({ do: 'open', program, label }),
      JSON.stringify({ do: 'resize', shell: 1, columns: 80, rows: 24 }),
      JSON.stringify({ do: 'signal', shell: 1, name: 'INT' }),
    ],
    read: text => readOrder(utf8(text)),
  },
  {
    name: 'answers of the keeper',
    of: ['readAnswer'],
    right: [
      JSON.stringify({ say: 'line', version: 1, holds: [held, { ...held, cutOffAt: 5 }] }),
      JSON.stringify({ say: 'refused', why: 'version', versions: [1] }),
      JSON.stringify({ say: 'shell', shell: 1, pid: 2 }),
      JSON.stringify({ say: 'exit', exit: { signal: 'HUP' }, at: 1 }),
    ],
    read: text => readAnswer(utf8(text)),
  },
  {
    name: 'whose shell it is',
    of: ['parseShellLabel'],
    right: [label, recordedLabel],
    read: parseShellLabel,
  },
  {
    name: 'shells that ended meanwhile',
    of: ['readEndedShells'],
    right: [`${JSON.stringify({ label, at: 1, exit: { code: 7 } })}\n`],
    read: readEndedShells,
  },
]
