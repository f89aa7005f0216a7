/** The doors between a `box` and the `box up` that runs commands for it: see doors.ts. */

import {
  answerMessage,
  ErrandReader,
  errandMessage,
  inputMessage,
  printedMessages,
  readAnswer,
  readErrand,
} from '../../controller/errands/words.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { utf8 } from '../vectors.ts'
import { type ByteDoor, random, type TextDoor } from './doors.ts'

const { zone } = ZoneSecret.generate('EDKEY', random)
const errand = {
  ...{ zone, line: 'uptime', user: 'ada', timeoutMs: 30_000, limitS: 1.5, approved: true },
}

export const ERRAND_BYTE_DOORS: readonly ByteDoor[] = [
  {
    name: 'what comes at the desk for errands',
    of: [],
    right: [errandMessage(errand), inputMessage(utf8('in'), { isLast: true })],
    read: bytes => {
      for (const heard of new ErrandReader().push(bytes))
        if ('words' in heard) readErrand(heard.words)
    },
  },
  {
    name: 'what comes back of an errand',
    of: [],
    right: [
      answerMessage({ say: 'end', exitCode: 7, error: null }),
      ...printedMessages('out', utf8('out')),
      ...printedMessages('err', utf8('err')),
    ],
    read: bytes => {
      for (const heard of new ErrandReader().push(bytes))
        if ('words' in heard) readAnswer(heard.words)
    },
  },
]

export const ERRAND_TEXT_DOORS: readonly TextDoor[] = [
  {
    name: 'errands',
    of: ['readErrand'],
    right: [
      JSON.stringify({ errand: 1, ...errand, zone: zoneToText(zone) }),
      JSON.stringify({ errand: 1, ...errand, zone: zoneToText(zone), user: null, limitS: null }),
    ],
    read: text => readErrand(utf8(text)),
  },
  {
    name: 'answers to errands',
    of: ['readAnswer'],
    right: [
      JSON.stringify({ say: 'heard' }),
      JSON.stringify({ say: 'refused', why: 'version' }),
      JSON.stringify({ say: 'greeting', text: 'hello' }),
      JSON.stringify({ say: 'end', exitCode: 0, error: null }),
      JSON.stringify({ say: 'end', exitCode: null, error: { code: 'CHANNEL_LOST', message: '' } }),
    ],
    read: text => readAnswer(utf8(text)),
  },
]
