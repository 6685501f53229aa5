import { UsageError } from '../../../formats/errors.ts';

/** One option of QEMU's command line, with its value if it takes one. */
export interface QemuOption {
  /** Without its dashes: `device`. */
  name: string;
  value: string | undefined;
}

/** A command line of QEMU, taken apart. */
export interface CommandLine {
  /** The program; empty where none is named. */
  program: string;
  options: QemuOption[];
}

/** Options of QEMU that stand alone. */
const ALONE = new Set(
  `S snapshot nographic daemonize nodefaults no-user-config no-reboot no-shutdown enable-kvm no-acpi no-hpet full-screen
   no-quit curses singlestep one-insn-per-tb preconfig mem-prealloc only-migratable usb no-fd-bootchk win2k-hack
   portrait h version enable-sync-profile`.split(/\s+/),
);

/**
 * Words of a file: separated by zeros as in `/proc/PID/cmdline`, or as a shell takes them, with quotes, backslashes and
 * comments; line ends separate words.
 * @throws UsageError `bad-command-line` for quotes without an end, and for words that only a shell could expand
 */
export function wordsOf(text: string): string[] {
  if (text.includes('\0')) return text.replace(/\0+$/, '').split('\0');
  const words: string[] = [];
  let word: string | undefined;
  for (const [piece] of text.matchAll(PIECES)) {
    if (piece === '\\\n' || (piece.startsWith('#') && word === undefined)) continue;
    if (/^\s/.test(piece)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + plain(piece);
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** White space, a comment, quoted text, an escaped letter, any other letters. */
const PIECES = /\s+|(?<!\S)#[^\n]*|'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\\[\s\S]|[^\s'"\\]+|[\s\S]/g;

/** A piece without its quotes. */
function plain(piece: string): string {
  if (piece.length > 1 && piece.startsWith("'")) return piece.slice(1, -1);
  if (piece.length > 1 && piece.startsWith('\\')) return piece.slice(1);
  const isQuoted = piece.length > 1 && piece.startsWith('"');
  if (!isQuoted && /['"\\]/.test(piece)) throw badWord(piece, 'a quote or backslash has no end');
  const inside = isQuoted ? piece.slice(1, -1) : piece;
  if (/[$`]/.test(inside.replace(/\\[\s\S]/g, '')))
    throw badWord(piece, 'only a shell knows what stands for $ and `; write it out');
  return isQuoted ? inside.replace(/\\\n/g, '').replace(/\\([$`"\\])/g, '$1') : inside;
}

function badWord(piece: string, why: string): UsageError {
  return new UsageError('bad-command-line', `Cannot read QEMU's arguments: ${why}, in …${piece.slice(0, 60)}`);
}

/**
 * Takes a command line apart. @throws UsageError `bad-command-line` for a word that is no option, for an option without
 * its value, and without words
 */
export function parseCommand(words: readonly string[]): CommandLine {
  if (words.length === 0)
    throw new UsageError(
      'bad-command-line',
      "Cannot read QEMU's arguments: there are none (a process that has ended has an empty /proc/PID/cmdline)",
    );
  const [first = ''] = words;
  const hasProgram = first !== '' && !first.startsWith('-');
  const options: QemuOption[] = [];
  for (let i = hasProgram ? 1 : 0; i < words.length; i++) {
    const name = /^--?([\w-]+)$/.exec(words[i])?.[1];
    if (name === undefined)
      throw new UsageError(
        'bad-command-line',
        `Cannot read QEMU's arguments: ${JSON.stringify(words[i].slice(0, 60))} is no option`,
      );
    if (ALONE.has(name)) options.push({ name, value: undefined });
    else if (i + 1 >= words.length)
      throw new UsageError('bad-command-line', `Cannot read QEMU's arguments: -${name} has no value`);
    else options.push({ name, value: words[++i] });
  }
  return { program: hasProgram ? first : '', options };
}

/** As words again, without the program. */
export function wordsOfOptions(options: readonly QemuOption[]): string[] {
  return options.flatMap(({ name, value }) => (value === undefined ? [`-${name}`] : [`-${name}`, value]));
}

/** The parts of a value, `a,b=c`; a comma within a part is written twice. */
export function partsOf(value: string): { key: string; value: string }[] {
  // No argument of a program holds a NUL byte, so one can stand for a doubled comma.
  const parts = value.replaceAll(',,', '\0').split(',');
  return parts.map((part) => {
    const [, key, text] = /^([^=]*)=([\s\S]*)$/.exec(part) ?? [undefined, '', part];
    return { key, value: text.replaceAll('\0', ',') };
  });
}

/** Joins parts to a value. */
export function joinParts(parts: readonly { key: string; value: string }[]): string {
  return parts.map(({ key, value }) => (key === '' ? '' : `${key}=`) + value.replaceAll(',', ',,')).join(',');
}
