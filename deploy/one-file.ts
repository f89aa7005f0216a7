/**
 * The one executable: all programs, told apart by the name it is called by, or by its first word
 * (`FILE box-agent run`), which works whatever the file is called.
 */

import { basename } from 'node:path'

const PROGRAMS = {
  box: () => import('../controller/main.ts'),
  'box-agent': () => import('../agent/main.ts'),
  'box-keeper': () => import('../agent/keeper/main.ts'),
  'box-seat': () => import('../agent/seat/main.ts'),
} as const
type Name = keyof typeof PROGRAMS

const isName = (word: string | undefined): word is Name =>
  word !== undefined && Object.hasOwn(PROGRAMS, word)

function wanted(): Name {
  const word = process.argv[2]
  if (isName(word)) {
    process.argv.splice(2, 1)
    return word
  }
  const called = basename(process.argv0)
  return isName(called) ? called : 'box'
}

void PROGRAMS[wanted()]()
