// Options that several commands have, in the same words.

/** Of commands that write files. */
export const FORCE = {
  type: 'boolean',
  alias: 'f',
  default: false,
  describe: 'Replace an existing file',
} as const;

/** Of commands for states of pgm 6 to 9, which do not say so themselves. */
export const LAYOUT = {
  type: 'string',
  requiresArg: true,
  describe: 'JSON file: where ROMs and MMIO2 are in a state of pgm 6 to 9',
} as const;

/** In place of `LAYOUT`. */
export const LIKE = {
  type: 'string',
  requiresArg: true,
  describe: 'Take the layout from this state of the same machine',
} as const;

/** Where a command writes. */
export const outputTo = <const T extends string>(describe: T) =>
  ({ type: 'string', alias: 'o', requiresArg: true, describe }) as const;

export const OUTPUT = outputTo('File to write; - for stdout');

/** Of commands that take one state. */
export const FILE = { type: 'string', demandOption: true, describe: 'Saved state; - for stdin' } as const;

/** Of commands that take any number of files. */
export const filesOf = <const T extends string>(describe: T) =>
  ({ type: 'string', array: true, default: [] as string[], describe }) as const;

export const FILES = filesOf('Saved states, or with -r folders; - for stdin');
