/**
 * deploy/gnunet: the configuration makes a peer that works on Debian, run as the unit runs it; members of the
 * group may use it, and others are told which group that is.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { cleanUp, folder, missing, ROOT } from './program.ts'

const UNIT = join(ROOT, 'deploy', 'gnunet', 'gnunet.service')
/** Directories as systemd makes them, the program of ExecStart as User, then the doctor: with the group, and without. */
const SCRIPT = `
for dir in /run/gnunet /var/lib/gnunet /etc/secushare-box; do mkdir -p $dir; mount -t tmpfs tmpfs $dir; done
chown gnunet:gnunet /run/gnunet /var/lib/gnunet; chmod 750 /run/gnunet /var/lib/gnunet
cp "$CONF" /etc/secushare-box/gnunet.conf; chmod 755 /etc/secushare-box
ip link set lo up
# The checkout may lie where only root may go.
mkdir "$WORK/box"; mount --bind "$ROOT" "$WORK/box"
setpriv --reuid=gnunet --regid=gnunet --init-groups sh -c "$START" >"$WORK/log" 2>&1 & arm=$!
for i in $(seq 100); do [ -S /run/gnunet/gnunet-service-core.sock ] && break; sleep 0.1; done
as() { setpriv --reuid=65534 --regid=$1 --clear-groups env HOME=/nonexistent "$NODE" "$WORK/box/dist/bin/box.js" \\
  --state "$WORK/state-$1" --mesh gnunet --gnunet-conf /etc/secushare-box/gnunet.conf doctor --json 2>&1; }
echo MEMBER; as gnunet; echo STRANGER; as 65534
echo EGO; setpriv --reuid=65534 --regid=gnunet --clear-groups gnunet-identity -c /etc/secushare-box/gnunet.conf -C ego -X && \\
  setpriv --reuid=65534 --regid=gnunet --clear-groups gnunet-identity -c /etc/secushare-box/gnunet.conf -d
kill $arm; wait $arm; echo LOG; cat "$WORK/log"; true
`

const start = () => {
  const [, program] = /^ExecStart=\/bin\/sh -c '(.*)'$/m.exec(readFileSync(UNIT, 'utf8')) ?? []
  return program!
}

describe.skipIf(missing(['gnunet-arm', 'setpriv', 'unshare'], { root: true }))('the unit', () => {
  afterAll(() => cleanUp())

  test('starts a peer that its group may use, egos included, and others may not', () => {
    const work = folder('unit')
    spawnSync('chmod', ['755', work])
    const env = {
      ...process.env,
      CONF: join(ROOT, 'deploy', 'gnunet', 'gnunet.conf'),
      START: start(),
      WORK: work,
      ROOT,
      NODE: process.execPath,
    }
    const words = ['-m', '-n', '--kill-child', 'sh', '-c', SCRIPT]
    const { stdout } = spawnSync('unshare', words, { env, encoding: 'utf8', timeout: 100_000 })
    const [, member = '', stranger = '', ego = ''] = stdout.split(/^(?:MEMBER|STRANGER|EGO|LOG)$/m)
    expect(member).toContain('GNUnet 0.19 to 0.20, wire class A, /etc/secushare-box/gnunet.conf')
    expect(stranger).toContain('GNUNET_FORBIDDEN')
    expect(stranger).toContain('usermod -aG gnunet')
    expect(ego).toMatch(/^ego - [0-9A-Z]{58}/m)
  })
})
