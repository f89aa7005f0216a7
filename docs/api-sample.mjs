// Warns of full disks: node api-sample.mjs [PERCENT]. Needs `box up`, and nothing else.
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'

const state = process.env.BOX_STATE ?? `${homedir()}/.local/state/secushare-box/controller`
const api = process.env.BOX_API ?? 'http://127.0.0.1:7447'
const token = readFileSync(`${state}/api-token`, 'utf8').trim()
const limit = Number(process.argv[2] ?? 90)

async function ask(path, body) {
  const answer = await fetch(api + path, {
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  })
  if (answer.ok) return answer
  throw new Error((await answer.json()).error.message)
}

const { devices } = await (await ask('/v1/devices')).json()
for (const { name, stale, status } of devices) {
  if (stale) console.log(`${name}: not reached now`)
  for (const [where, { used, total }] of Object.entries(status?.disks ?? {})) {
    if ((100 * used) / total < limit) continue
    console.log(`${name}: ${where} is ${Math.round((100 * used) / total)} % full`)
    const largest = { selector: name, command: `du -xhd1 '${where}' 2>/dev/null | sort -rh | head -4` }
    const lines = (await (await ask('/v1/exec', largest)).text()).trim().split('\n')
    for (const line of lines.map(text => JSON.parse(text))) process.stdout.write(line.data ?? '')
  }
}
