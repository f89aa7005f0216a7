import { expect, test } from 'vitest'
import { controlSocket, stateDirectory } from '../../src/sys/paths.ts'

const person = { env: {}, uid: 1000, home: '/home/ann' }

test.for([
  ['agent', {}, '/home/ann/.local/state/secushare-box/agent'],
  ['controller', {}, '/home/ann/.local/state/secushare-box/controller'],
  ['controller', { env: { XDG_STATE_HOME: '/s' } }, '/s/secushare-box/controller'],
  [
    'controller',
    { env: { XDG_STATE_HOME: 's' } },
    '/home/ann/.local/state/secushare-box/controller',
  ],
  ['agent', { uid: 0 }, '/var/lib/secushare-box'],
  ['controller', { uid: 0, home: '/root' }, '/root/.local/state/secushare-box/controller'],
  ['agent', { env: { STATE_DIRECTORY: '/var/lib/box:/x' } }, '/var/lib/box'],
  [
    'controller',
    { env: { STATE_DIRECTORY: '/var/lib/box' }, home: '/h' },
    '/h/.local/state/secushare-box/controller',
  ],
  ['agent', { env: { BOX_STATE: '/b', STATE_DIRECTORY: '/c' }, uid: 0 }, '/b'],
] as const)('%s with %j keeps its state in %s', ([program, changes, expected]) => {
  expect(stateDirectory(program, { ...person, ...changes })).toBe(expected)
})

test('without a home it says what to set', () => {
  expect(() => stateDirectory('agent', { ...person, home: '' })).toThrow(/BOX_STATE/)
})

test('the control socket lies in the state', () => {
  expect(controlSocket('/b')).toBe('/b/control.sock')
})
