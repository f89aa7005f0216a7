/** What a bundle may take: enough for the configuration of a machine, little enough for a router with 64 MB. */

/** Unless the manifest says otherwise: the time in which a person, or the controller, finds the device again. */
export const CONFIRM_SECONDS = 90

export const LIMITS = {
  manifestBytes: 256 * 1_024,
  files: 1_000,
  /** A file is held in memory as a whole while it is checked. */
  fileBytes: 4 * 1_024 * 1_024,
  /** All files of one device. */
  totalBytes: 32 * 1_024 * 1_024,
  /** In each of before, apply, after, undo. */
  commands: 64,
  commandBytes: 4 * 1_024,
  valueChars: 4_096,
  packages: 256,
  /** Services that are reloaded. */
  services: 64,
  uciChanges: 1_000,
  /** Longer, a device that was cut off stays away for too long. */
  confirmSeconds: 3_600,
  commandSeconds: 600,
  /** The signed description of all this. */
  releaseBytes: 512 * 1_024,
} as const
