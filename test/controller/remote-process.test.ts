import { EventEmitter } from 'node:events'
import { constants } from 'node:os'
import type { ClientChannel } from 'ssh2'
import { expect, test } from 'vitest'
import { exitCodeOf, RemoteProcess } from '../../controller/remote-process.ts'

test.for([
  ['HUP', 129],
  ['TRAP', 133],
  ['ABRT', 134],
  ['BUS', 135],
  ['KILL', 137],
  ['USR1', 138],
  ['SEGV', 139],
  ['USR2', 140],
  ['TERM', 143],
  ['XCPU', 152],
  ['XFSZ', 153],
  ['PWR', 158],
  ['SYS', 159],
] as const)('a program that SIG%s ended exits as in a shell of Linux', async ([name, code]) => {
  const channel = Object.assign(new EventEmitter(), { stderr: null }) as unknown as ClientChannel
  const { ended } = new RemoteProcess(channel)
  channel.emit('exit', null, `SIG${name}`, 'false', '')
  channel.emit('close')
  expect(await ended).toBe(code)
  expect(exitCodeOf(name)).toBe(code)
})

test.skipIf(process.platform !== 'linux')('every signal has the number of this machine', () => {
  const numbers = Object.entries(constants.signals)
  // Of several names for one, SSH knows the first.
  const firsts = numbers.filter(([, number], at) => numbers.findIndex(n => n[1] === number) === at)
  expect(firsts.map(([name]) => [name, exitCodeOf(name)])).toEqual(
    firsts.map(([name, number]) => [name, 128 + number]),
  )
})

test('a signal that nobody knows is none that ended well', () => {
  expect(exitCodeOf('XYZ@example.org')).toBe(128)
})
