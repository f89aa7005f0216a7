import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Answer, listenForOrders, order, type Request } from '../../agent/local-control.ts'
import { answerOrders } from '../../agent/orders.ts'
import { BoxError } from '../../src/base/errors.ts'
import { silentLog } from '../../src/base/log.ts'
import { parsePairingCode } from '../../src/box/pairing-code.ts'
import { Home } from './home.ts'

let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'box-control-'))
  path = join(directory, 'control.sock')
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function listening(answer: Answer, use: () => Promise<void>): Promise<void> {
  const listener = await listenForOrders(path, answer, silentLog)
  try {
    await use()
  } finally {
    listener.close()
  }
}

/** Gives an order; what was said, and how it ended. */
async function give(request: Request, signal?: AbortSignal) {
  const heard: Readonly<Record<string, unknown>>[] = []
  const end = await order(path, request, value => void heard.push(value), signal).then(
    () => 'done',
    (error: unknown) => (error instanceof BoxError ? error.code : error),
  )
  return { heard, end }
}

describe('an order', () => {
  test('is answered as often as there is something to say', async () => {
    const answer: Answer = async ({ n }, say) => {
      for (let i = 0; i < Number(n); i++) say({ i })
    }
    await listening(answer, async () => {
      expect(await give({ do: 'count', n: 3 })).toEqual({
        heard: [{ i: 0 }, { i: 1 }, { i: 2 }],
        end: 'done',
      })
    })
  })

  test('fails as the agent says, in its words', async () => {
    const answer = async () => {
      throw new BoxError('PAIRING_REFUSED', 'The code is void.')
    }
    await listening(answer, async () => {
      await expect(order(path, { do: 'pair' }, () => {})).rejects.toMatchObject({
        code: 'PAIRING_REFUSED',
        message: 'The device refused the pairing. The code is void.',
      })
    })
  })

  test('to nobody says that the agent is not running', async () => {
    expect((await give({ do: 'status' })).end).toBe('AGENT_NOT_RUNNING')
  })

  test('given up tells the agent so', async () => {
    const stop = new AbortController()
    let gone: AbortSignal | null = null
    const answer: Answer = async (_request, say, signal) => {
      gone = signal
      say({ begun: true })
      await new Promise(resolve => signal.addEventListener('abort', resolve))
    }
    await listening(answer, async () => {
      const reason = new Error('enough')
      const heard = () => stop.abort(reason)
      await expect(order(path, { do: 'x' }, heard, stop.signal)).rejects.toBe(reason)
      await expect.poll(() => gone?.aborted).toBe(true)
    })
  })

  test.for(['\n', 'x\n', '{"do":5}\n', '[]\n', `${'x'.repeat(2_000_000)}`, '\u00ff\ufffe\n'])(
    'that is none (%#) is refused, and the agent goes on',
    async noise => {
      const answer: Answer = async (_request, say) => say({})
      await listening(answer, async () => {
        const reply = await new Promise<string>(resolve => {
          let text = ''
          const socket = connect(path, () => socket.write(Buffer.from(noise, 'latin1')))
          socket.on('data', chunk => {
            text += chunk
          })
          socket.on('error', () => {})
          socket.on('close', () => resolve(text))
        })
        expect(reply).toContain('INPUT_INVALID')
        expect((await give({ do: 'x' })).end).toBe('done')
      })
    },
  )

  test('can be given by the owner of the state only', async () => {
    await listening(
      async () => {},
      async () => {
        expect(statSync(path).mode & 0o777).toBe(0o600)
      },
    )
  })
})

describe('the running agent', () => {
  let home: Home
  let resets: number

  beforeEach(async () => {
    home = new Home()
    await home.start()
    resets = 0
  })

  afterEach(() => home.stop())

  const served = (use: () => Promise<void>) =>
    listening(
      answerOrders(home.agent, () => void resets++),
      use,
    )

  test('tells its status', () =>
    served(async () => {
      const { heard, end } = await give({ do: 'status' })
      expect(end).toBe('done')
      expect(heard).toMatchObject([{ running: true, name: 'box' }])
    }))

  test('opens a window, and tells when somebody has paired', () =>
    served(async () => {
      const heard: Readonly<Record<string, unknown>>[] = []
      const paired = order(path, { do: 'pair', minutes: 10 }, value => void heard.push(value))
      await expect.poll(() => heard).toHaveLength(1)
      const code = parsePairingCode(heard[0]!.code as string)
      expect(parsePairingCode(heard[0]!.qr as string)).toEqual(code)
      const { checkWords } = await home.pair(code)
      await paired
      expect(heard[1]).toMatchObject({ paired: true, owner: 'home', check_words: checkWords })
    }))

  test('closes the window when whoever waits for it goes away', () =>
    served(async () => {
      const stop = new AbortController()
      const heard = () => stop.abort(new Error('enough'))
      await expect(order(path, { do: 'pair', minutes: 10 }, heard, stop.signal)).rejects.toThrow(
        'enough',
      )
      await expect.poll(() => home.agent.status().pairing_until).toBeNull()
    }))

  test('leaves the window open where nobody waits', () =>
    served(async () => {
      const { heard, end } = await give({ do: 'pair', minutes: 10, wait: false })
      expect([end, heard.length]).toEqual(['done', 1])
      expect(home.agent.status().pairing_until).not.toBeNull()
    }))

  test('says why a code has become void', () =>
    served(async () => {
      const first = give({ do: 'pair', minutes: 10 })
      await expect.poll(() => home.agent.status().pairing_until).not.toBeNull()
      await give({ do: 'pair', minutes: 10, wait: false })
      expect((await first).end).toBe('PAIRING_REFUSED')
      expect((await give({ do: 'pair', minutes: 0.001 })).end).toBe('PEER_TIMEOUT')
    }))

  test.for([0, -1, 1e9, 'x', null])('refuses a window of %s minutes', minutes =>
    served(async () => {
      expect((await give({ do: 'pair', minutes })).end).toBe('INPUT_INVALID')
    }),
  )

  test('is reset where it is told to be', () =>
    served(async () => {
      expect((await give({ do: 'reset' })).end).toBe('done')
      expect(resets).toBe(1)
    }))

  test('refuses what it does not know', () =>
    served(async () => {
      expect((await give({ do: 'fly' })).end).toBe('INPUT_INVALID')
    }))
})
