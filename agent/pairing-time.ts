/** How long a pairing window may be open: a code that is good for longer should not lie about. */

export const MINUTES_MAX = 24 * 60
