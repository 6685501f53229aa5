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
