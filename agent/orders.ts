/** What the running agent does for `box-agent pair`, `status` and `reset` (local-control.ts). */

import { BoxError } from '../src/base/errors.ts'
import { formatPairingCode, pairingCodeForQr } from '../src/box/pairing-code.ts'
import type { WindowEnd } from '../src/box/pairing-window.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { Agent } from './agent.ts'
import type { Answer, Request } from './local-control.ts'
import { MINUTES_MAX } from './pairing-time.ts'

const REASONS = {
  replaced: 'another window was opened',
  closed: 'the window was closed',
  'too many attempts': 'too many wrong codes came',
}

/** `reset` is called when the agent is to end, and to begin anew with nothing. */
export const answerOrders =
  (agent: Agent, reset: () => void): Answer =>
  async (request, say, gone) => {
    switch (request.do) {
      case 'status':
        say(agent.status())
        return
      case 'pair':
        await pair(agent, request, say, gone)
        return
      case 'reset':
        reset()
        return
      default:
        throw new BoxError('INPUT_INVALID', 'The agent is of another version.')
    }
  }

async function pair(
  agent: Agent,
  request: Request,
  say: (value: object) => void,
  gone: AbortSignal,
): Promise<void> {
  const { minutes, wait } = request
  if (typeof minutes !== 'number' || !(minutes > 0 && minutes <= MINUTES_MAX))
    throw new BoxError('INPUT_INVALID', `A window is open for 1 to ${MINUTES_MAX} minutes.`)
  let ended!: (end: WindowEnd) => void
  const ending = new Promise<WindowEnd>(resolve => {
    ended = resolve
  })
  const code = agent.pair(minutes, ended)
  say({
    code: formatPairingCode(code),
    qr: pairingCodeForQr(code),
    expires_at: agent.status().pairing_until,
  })
  if (wait === false) return
  // Whoever asked and went away does not want it any more.
  const leave = () => agent.endPairing()
  gone.addEventListener('abort', leave, { once: true })
  const end = await ending
  gone.removeEventListener('abort', leave) // The window that is open by now may be somebody else's.
  if (end.is === 'paired') {
    const { holder, zone, deviceName } = end.owner
    say({
      paired: true,
      owner: holder,
      owner_zone: zoneToText(zone),
      name: deviceName,
      check_words: end.checkWords,
    })
    return
  }
  if (end.is === 'expired')
    throw new BoxError('PEER_TIMEOUT', `Nobody paired within ${minutes} minutes.`)
  throw new BoxError('PAIRING_REFUSED', `The code is void: ${REASONS[end.is]}.`)
}
