/** box up: stays, keeps the way to all devices open, and lets programs of this machine ask (the local API). */

import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { attempt, makeDirectories, replaceFile } from '../../src/sys/file-store.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { TOKEN_FILE } from '../up/token.ts'
import { UNIT, unitPath, userUnit } from '../up/user-unit.ts'

const PORT = 7_447
const PORT_MAX = 0xffff

interface Arguments {
  readonly port: number
  readonly install: boolean
}

export const up = command<Arguments>({
  usage: 'up',
  examples: [
    ['box up', 'stays until ^C; tells where its API is, and where the token lies'],
    ['box up --install', 'writes a unit, so that your systemd starts it with your session'],
  ],
  options: yargs =>
    yargs
      .option('port', {
        type: 'number',
        default: PORT,
        describe: 'the port of the API, on 127.0.0.1; 0: any that is free',
      })
      .option('install', {
        type: 'boolean',
        default: false,
        describe: 'write a unit of systemd for this, and start nothing',
      })
      .epilogue('What programs can ask is described at /openapi.json, and in docs/api.md.'),
  run: async (context, { port, install }) => {
    if (!Number.isInteger(port) || port < 0 || port > PORT_MAX)
      throw new BoxError('INPUT_INVALID', `--port takes a number up to ${PORT_MAX}.`)
    if (install) {
      installUnit(context, port)
      return
    }
    // Loaded here: no other command waits for it.
    const { stayUp } = await import('../up/service.ts')
    await stayUp(context, port)
  },
})

function installUnit({ output, box, state }: Context, port: number): void {
  const path = unitPath(process.env, homedir())
  const text = userUnit([...box, 'up', '--port', `${port}`])
  attempt('STATE_UNWRITABLE', path, () => {
    makeDirectories(dirname(path))
    replaceFile(path, `${path}.new`, Buffer.from(text))
  })
  output.result(path, { unit: path, token: join(state.directory, TOKEN_FILE) })
  output.remark(`Start it: systemctl --user daemon-reload && systemctl --user enable --now ${UNIT}`)
  output.remark('To have it run while you are not logged in: loginctl enable-linger')
}
