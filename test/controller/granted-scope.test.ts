import { describe, expect, test } from 'vitest'
import { scopeFor } from '../../controller/granted-scope.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'

describe('how far a grant shall go', () => {
  test('is all of it where nothing is said', () => {
    expect(scopeFor(['status', 'shell'], {})).toEqual(WHOLE_SCOPE)
  })

  test('is what was said, where it narrows what is granted', () => {
    const lists = { users: ['www'], commands: ['uptime'], paths: ['/srv'], targets: ['*:22'] }
    const wanted = { ...lists, recorded: true, approved: false }
    expect(scopeFor(['exec', 'files', 'forward'], wanted)).toEqual(wanted)
    const approved = { ...WHOLE_SCOPE, approved: true }
    expect(scopeFor(['exec', 'status'], { approved: true })).toEqual(approved)
  })

  test.each([
    [['status', 'push'], { users: ['www'] }, 'shell or exec or files or forward'],
    [['shell'], { commands: ['uptime'] }, 'commands goes with the right exec'],
    [['exec'], { paths: ['/srv'] }, 'paths goes with the right files'],
    [['files'], { targets: ['*:22'] }, 'targets goes with the right forward'],
    [['files'], { paths: ['/srv', 'srv'] }, 'from the root'],
    [['shell'], { users: ['www', 'a b'] }, '"a b" is no name of a user'],
    [['exec', 'files'], { approved: true }, 'What files does cannot be approved'],
    [['status'], { approved: true }, 'Approved is what exec and shell do'],
  ] as const)('is refused of %j where it is %j', (rights, wanted, why) => {
    expect(() => scopeFor(rights, wanted)).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID', message: expect.stringContaining(why) }),
    )
  })
})
