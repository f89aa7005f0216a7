/** `_ssh._tcp` in front of a name: which BOX records are meant (RFC 9498 section 5.3.3, RFC 2782). */

/** Numbers of IP protocols (IANA) that have ports. */
const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, dccp: 33, sctp: 132 }

/** The services people name rather than number (IANA); any other is written as its port. */
const SERVICES: Readonly<Record<string, number>> = {
  ssh: 22,
  smtp: 25,
  domain: 53,
  http: 80,
  ntp: 123,
  imap: 143,
  ldap: 389,
  https: 443,
  submission: 587,
  ldaps: 636,
  imaps: 993,
  'xmpp-client': 5222,
  'xmpp-server': 5269,
  sip: 5060,
  sips: 5061,
  mqtt: 1883,
  psyc: 4404,
}

export interface Service {
  readonly protocol: number
  readonly service: number
}

/** The service two labels stand for; null where they are ordinary labels. */
export function serviceOf(labels: readonly string[]): Service | null {
  const [service, protocol] = labels
  if (labels.length !== 2 || !service?.startsWith('_') || !protocol?.startsWith('_')) return null
  const number = numberOf(PROTOCOLS, protocol.slice(1), 255)
  const port = numberOf(SERVICES, service.slice(1), 0xffff)
  return number === null || port === null ? null : { protocol: number, service: port }
}

function numberOf(
  names: Readonly<Record<string, number>>,
  text: string,
  max: number,
): number | null {
  if (Object.hasOwn(names, text)) return names[text]!
  return /^(0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= max ? Number(text) : null
}
