/** Quotes text as one word for a POSIX shell, or fish. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * Whether text out of a file is safe as a word of a command line in any shell: common characters of names only, and no
 * option.
 */
export function isPlainName(text: string): boolean {
  return /^[\w.:/+][\w.:/+@,= -]*$/.test(text);
}
