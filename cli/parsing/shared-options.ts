import { SECRET_VARIABLES } from '../../formats/world/secret-variables.ts';

// Options that several commands share.

/** Option of commands that write files. */
export const FORCE = {
  type: 'boolean',
  alias: 'f',
  default: false,
  describe: 'Replace an existing file',
} as const;

/** Option of commands on states of pgm 6 to 9, which do not store the layout. */
export const LAYOUT = {
  type: 'string',
  requiresArg: true,
  describe: 'JSON file with the places of ROMs and MMIO2 in a state of pgm 6 to 9',
} as const;

/** Option that can stand in place of `LAYOUT`. */
export const LIKE = {
  type: 'string',
  requiresArg: true,
  describe: 'Take the layout from this state of the same machine',
} as const;

/** Option for the output of a command. */
export const outputTo = <const T extends string>(describe: T) =>
  ({ type: 'string', alias: 'o', requiresArg: true, describe }) as const;

export const OUTPUT = outputTo('File to write; - for stdout');

/** Argument of commands that take one state. */
export const FILE = { type: 'string', demandOption: true, describe: 'Saved state; - for stdin' } as const;

/** Argument of commands that take any number of files. */
export const filesOf = <const T extends string>(describe: T) =>
  ({ type: 'string', array: true, default: [] as string[], describe }) as const;

export const FILES = filesOf('Saved states, or with -r folders; - for stdin');

/** Option of commands that run for a while. */
export const NDJSON = {
  type: 'boolean',
  default: false,
  describe: 'Print events as JSON, one a line',
} as const;

/** Option of commands that hand machines over, or take them. */
export const RECORDS = {
  type: 'string',
  requiresArg: true,
  describe: 'Folder for the records of decisions; default: one of your own',
} as const;

/** Option of commands that only read records. */
export const RECORDS_FOLDER = {
  type: 'string',
  requiresArg: true,
  describe: 'Folder with the records of migrations; default: one of your own',
} as const;

export const PEER_NAME = {
  type: 'string',
  requiresArg: true,
  describe: "With certificates: the name in the target's certificate, if it is not HOST",
} as const;

/** Option of commands that use VirtualBox's teleporter. */
export const PASSWORD_FILE = {
  type: 'string',
  requiresArg: true,
  describe: `File with the password; else ${SECRET_VARIABLES.teleporterPassword}, else a prompt`,
} as const;

/** Option of commands that write another state. */
export const PROOF = {
  type: 'boolean',
  default: true,
  describe: 'Read the result back and compare it with the input',
} as const;

export const RANGE = {
  type: 'string',
  requiresArg: true,
  describe: 'Guest-physical addresses A-B (B is not included) or A+SIZE',
} as const;

/** CPU whose page tables are walked. */
export const CPU = {
  type: 'number',
  default: 0,
  requiresArg: true,
  describe: 'CPU whose page tables are used',
} as const;

/** Root of the page tables, in place of the CPU's. */
export const CR3 = {
  type: 'string',
  requiresArg: true,
  describe: 'Address of the root page table, in place of the CR3 of that CPU',
} as const;
