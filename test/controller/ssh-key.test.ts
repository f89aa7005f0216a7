import { expect, test } from 'vitest'
import { makeSshKey, readSshKey } from '../../controller/ssh-key.ts'
import type { State } from '../../controller/state.ts'
import { seededRandom } from '../sim/random.ts'

const inMemory = (): State => {
  const files = new Map<string, string>()
  return {
    directory: '/nowhere',
    readText: name => files.get(name) ?? null,
    writeText: (name, text) => void files.set(name, text),
    remove: name => void files.delete(name),
    exclusively: async change => change(),
  }
}

// Of the keys that ssh2 1.17.0 makes itself, one in some 200 could not be read again.
test('every key that is made can be read again', async () => {
  for (let seed = 0; seed < 500; seed++) {
    const state = inMemory()
    await makeSshKey(state, seededRandom(seed))
    expect((await readSshKey(state)).publicKey, `SEED=${seed}`).toHaveLength(51)
  }
})
