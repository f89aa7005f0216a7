/**
 * Where the `box up` of this state listens: a file that it writes when it does. It is believed only while the
 * socket beside it is answered, which nobody else can listen on: whoever has the port now, has the token soon.
 */

import { join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { answersUnix } from '../../src/sys/unix-socket.ts'
import { LOAN_SOCKET } from '../context.ts'
import type { State } from '../state.ts'

export const ADDRESS_FILE = 'api-address'
const ADDRESS = /^http:\/\/127\.0\.0\.1:\d{1,5}$/

/** Fails with STATE_UNWRITABLE, STATE_LOCKED. */
export const keepAddress = (state: State, address: string): Promise<void> =>
  state.exclusively(() => state.writeText(ADDRESS_FILE, `${address}\n`))

export const dropAddress = (state: State): Promise<void> =>
  state.exclusively(() => state.remove(ADDRESS_FILE))

/** The address of the `box up` that runs. Fails with UP_NOT_RUNNING, STATE_UNREADABLE. */
export async function addressOfUp(state: State): Promise<string> {
  const isUp = await answersUnix(join(state.directory, LOAN_SOCKET))
  const address = isUp ? state.readText(ADDRESS_FILE)?.trim() : undefined
  if (address === undefined || !ADDRESS.test(address)) throw new BoxError('UP_NOT_RUNNING')
  return address
}
