/** Text as a word that a POSIX shell, or fish, reads as nothing else. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * Whether text out of a file can stand on a command line, whatever the shell: of what most names are made, and no
 * option.
 */
export function isPlainName(text: string): boolean {
  return /^[\w.:/+][\w.:/+@,= -]*$/.test(text);
}
