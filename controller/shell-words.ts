/**
 * A command line for the device's shell. One word is a line of shell and goes as it is; several words
 * are a program and its arguments, and arrive as exactly those: `box exec hut -- echo 'a  b'` keeps both
 * spaces, `box exec hut -- 'ls | wc -l'` is a pipe.
 */

export function commandLine(words: readonly string[]): string {
  return words.length === 1 ? words[0]! : words.map(quoted).join(' ')
}

/** The word in single quotes, where a POSIX shell would read it otherwise. */
const quoted = (word: string) =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
