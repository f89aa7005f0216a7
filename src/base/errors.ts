/**
 * What can go wrong, by who has to act.
 *
 * | family      | whose matter            | what the code does                                  | exit |
 * | ----------- | ----------------------- | --------------------------------------------------- | ---- |
 * | usage       | the person typing       | say what is wrong and where                         | 64   |
 * | fault       | the remote peer broke   | drop, count, perhaps close the channel; no stack    | 76   |
 * |             | the protocol            |                                                     |      |
 * | unreachable | nobody's: the network   | retry with backoff; tell the caller when giving up  | 75   |
 * | unknown     | there is no such thing  | tell the caller at once                             | 69   |
 * | refused     | policy says no          | tell the caller at once; never retry                | 77   |
 * | setup       | whoever installed us    | say what to change                                  | 78   |
 *
 * A broken assumption of our own is none of these: it is an AssertionError, and the process ends.
 */
export type Family = 'usage' | 'fault' | 'unreachable' | 'unknown' | 'refused' | 'setup'

/** The exit code of each family (sysexits.h). */
export const EXIT_CODES: Readonly<Record<Family, number>> = {
  usage: 64,
  unknown: 69,
  unreachable: 75,
  fault: 76,
  refused: 77,
  setup: 78,
}

/** Every code, its family and its sentence. docs/errors.md is checked against this table. */
export const ERRORS = {
  INPUT_INVALID: ['usage', 'The input is not valid.'],
  NAME_INVALID: ['usage', 'This is no valid name.'],
  CODE_INVALID: ['usage', 'This is no valid pairing code.'],
  BACKUP_UNREADABLE: ['usage', 'This is no backup, or the passphrase is another one.'],
  NAME_TAKEN: ['usage', 'The name is already in use.'],
  BUNDLE_INVALID: ['usage', 'The bundle is not valid.'],
  ALERT_INVALID: ['usage', 'The rule of the alert is not valid.'],
  FILE_EXISTS: ['usage', 'There is a file of this name already.'],
  WIRE_MALFORMED: ['fault', 'The message does not fit its layout.'],
  SIGNATURE_INVALID: ['fault', 'The signature is not by the claimed key.'],
  STATE_UNEXPECTED: ['fault', 'The peer said something that does not belong here.'],
  LIMIT_EXCEEDED: ['fault', 'The peer takes more than its share.'],
  FILE_DAMAGED: ['fault', 'What came is not the file that was offered.'],
  PEER_TIMEOUT: ['unreachable', 'The peer did not answer in time.'],
  PEER_UNREACHABLE: ['unreachable', 'No way to the peer was found.'],
  CHANNEL_CLOSED: ['unreachable', 'The channel was closed by the other side.'],
  CHANNEL_LOST: ['unreachable', 'The connection to the peer was lost.'],
  ENGINE_CLOSED: ['unreachable', 'The mesh engine is closed.'],
  TALK_TOO_FAST: ['unreachable', 'You say more than the place takes at once: wait a little.'],
  APPROVAL_EXPIRED: [
    'unreachable',
    'Nobody has approved it in time, and nothing was done: ask again.',
  ],
  NO_HUB: ['unreachable', 'None of the hubs can be reached.'],
  NAME_UNKNOWN: ['unknown', 'No record is published under this name.'],
  NAME_LOOP: ['unknown', 'The name leads in a circle.'],
  NAME_IN_DNS: ['unknown', 'The name leads into the DNS, which is not asked here.'],
  RECORD_UNSUPPORTED: ['unknown', 'The name depends on a record this version cannot follow.'],
  AGENT_NOT_RUNNING: ['unknown', 'The agent is not running: start it with `box-agent run`.'],
  UP_NOT_RUNNING: [
    'unknown',
    'It takes a running `box up`: start it in another terminal, or as a service with `box up --install`.',
  ],
  FILE_UNKNOWN: ['unknown', 'There is no such file.'],
  SHELL_UNKNOWN: ['unknown', 'No such shell of yours is kept on the device.'],
  RECORDING_UNKNOWN: ['unknown', 'There is no such recording: see box recordings.'],
  JOB_UNKNOWN: ['unknown', 'There is no such job: see box jobs.'],
  APPROVAL_UNKNOWN: [
    'unknown',
    'Nothing of that name waits for approval there: see box approvals.',
  ],
  ALERT_UNKNOWN: ['unknown', 'There is no such alert: see box alerts.'],
  DEVICE_UNKNOWN: ['unknown', 'No device of this name is paired.'],
  USER_UNKNOWN: ['unknown', 'The device has no such user.'],
  ROOM_UNKNOWN: ['unknown', 'There is no such room.'],
  OFFER_UNKNOWN: ['unknown', 'There is no such file on offer: see box files.'],
  CONTACT_UNKNOWN: ['unknown', 'There is no such contact.'],
  NOT_PERMITTED: ['refused', 'The device does not grant this to your key.'],
  APPROVAL_DENIED: ['refused', 'It was not approved, and nothing was done.'],
  USER_NOT_GRANTED: ['refused', 'Your grant does not let you be this user of the device.'],
  USER_OUT_OF_REACH: [
    'refused',
    'The agent there runs as an ordinary user, and can be no other one.',
  ],
  USER_CLOSED: ['refused', 'The account of this user is closed to logins on the device.'],
  PLACE_MODE: ['refused', 'The place does not have the mode in which it was entered.'],
  ROOM_LIMIT: ['refused', 'There is no room for more of that on the device.'],
  RELAY_REFUSED: ['refused', 'The relay does not keep the file.'],
  ZONE_REVOKED: [
    'refused',
    'The zone was revoked by whoever has its key: nothing in it is to be believed.',
  ],
  IDENTITY_WRONG: ['refused', 'The other side could not prove the identity that was expected.'],
  PAIRING_REFUSED: ['refused', 'The device refused the pairing.'],
  PUSH_REFUSED: ['refused', 'The device refused the bundle, and nothing was changed.'],
  PUSH_PUT_BACK: ['refused', 'The device put its old configuration back.'],
  HOST_KEY_WRONG: ['refused', 'The host key is not the one the device publishes.'],
  API_REFUSED: ['refused', 'The local API does not take this request.'],
  JOB_REFUSED: ['refused', 'The device does not take this job.'],
  RELEASE_REFUSED: ['refused', 'The release is not taken.'],
  RELEASE_GAVE_WAY: ['refused', 'The new version did not prove itself and has given way.'],
  STATE_LOCKED: ['setup', 'Another process uses this state directory.'],
  STATE_UNREADABLE: ['setup', 'The state cannot be read.'],
  STATE_UNWRITABLE: ['setup', 'The state cannot be written.'],
  KEY_UNREADABLE: ['setup', 'The private key cannot be read.'],
  CONFIG_INVALID: ['setup', 'The configuration is not valid.'],
  CLOCK_WRONG: ['setup', 'Your clock, or that of the device, is wrong by more than a day.'],
  NO_EGO: ['setup', 'There is no identity yet: run `box init` first.'],
  NO_SYSTEMD: ['setup', 'This machine is not run by systemd.'],
  SERVICE_FAILED: ['setup', 'The service manager refused.'],
  FILE_UNUSABLE: ['setup', 'The file cannot be read or written.'],
  ADDRESS_IN_USE: ['setup', 'The address cannot be listened on.'],
  MESH_ABSENT: ['setup', 'No mesh is lent there: start `box-agent mesh`.'],
  GNUNET_ABSENT: ['setup', 'No GNUnet daemon is running here: start it, or use `--mesh embedded`.'],
  GNUNET_FORBIDDEN: ['setup', 'The GNUnet daemon does not let this user in.'],
  GNUNET_SILENT: ['setup', 'A service of the GNUnet daemon does not answer.'],
  GNUNET_TOO_OLD: ['setup', 'This GNUnet is too old: 0.19 is the first that works.'],
} as const satisfies Record<string, readonly [Family, string]>

export type ErrorCode = keyof typeof ERRORS

/** An expected failure. Decide by `code` or `family`, never by the text. */
export class BoxError extends Error {
  override readonly name = 'BoxError'
  readonly code: ErrorCode
  /** What is particular to this case, for those who have said the rest already. */
  readonly detail: string

  constructor(code: ErrorCode, detail?: string, cause?: unknown) {
    super(
      detail ? `${ERRORS[code][1]} ${detail}` : ERRORS[code][1],
      cause === undefined ? {} : { cause },
    )
    this.code = code
    this.detail = detail ?? ERRORS[code][1]
  }

  get family(): Family {
    return ERRORS[this.code][0]
  }
}
