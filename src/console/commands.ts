import { UsageError } from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';
import { parseBigNumber, parseCount } from '../../formats/values/number-text.ts';
import { type Answer, linesOf } from './answer.ts';
import { integrity } from './check-integrity.ts';
import { pgmAssertCr3, pgmError, pgmPoolCheck, pgmSync, pgmSyncAlways, prefetch } from './debugger-commands.ts';
import { guestTables } from './guest-tables.ts';
import { infoCpumGuest, selectedRegisters } from './info-cpumguest.ts';
import { infoHandlers } from './info-handlers.ts';
import { infoMappings } from './info-mappings.ts';
import { infoMode } from './info-mode.ts';
import { infoPgmCr3 } from './info-pgmcr3.ts';
import { infoPhys, pgmRam } from './info-phys.ts';
import { infoVgaText } from './info-vgatext.ts';
import { intermediateTables } from './intermediate-tables.ts';
import { find, mapsOf, peek, poke, save, walk } from './memory-commands.ts';
import { physToFile } from './phys-to-file.ts';
import type { ConsoleSession } from './session.ts';
import { shadowTables } from './shadow-tables.ts';
import { resetStatistics, showStatistics } from './statistics-command.ts';

/** A command of the console. */
export interface ConsoleCommand {
  name: string;
  /** Arguments as `help` shows them. */
  usage: string;
  help: string;
  /** Minimum and maximum number of arguments. */
  arguments: readonly [number, number];
  run(session: ConsoleSession, words: readonly string[]): Answer | Promise<Answer>;
}

/** An item that `info` shows. */
export interface InfoItem {
  name: string;
  help: string;
  show(session: ConsoleSession, words: readonly string[]): Answer;
}

export const INFO_ITEMS: readonly InfoItem[] = [
  { name: 'mode', help: "The current paging mode. 'all', 'guest', 'shadow' or 'host'", show: infoMode },
  { name: 'pgmcr3', help: 'All entries of the top level table, as VirtualBox reads it', show: infoPgmCr3 },
  { name: 'phys', help: "All ranges of guest-physical memory. 'verbose' for the types of pages", show: infoPhys },
  {
    name: 'handlers',
    help: "Access handlers. 'phys', 'virt' or 'hyper' for one kind, 'nost' without statistics",
    show: infoHandlers,
  },
  { name: 'mappings', help: "Hypervisor mappings in the guest's address space", show: infoMappings },
  { name: 'cpumguest', help: 'Registers of all CPUs', show: infoCpumGuest },
  { name: 'vgatext', help: 'The text screen, from video memory', show: infoVgaText },
];

const ANY = Number.MAX_SAFE_INTEGER;
const MAX_DEPTH = 4;

export const CONSOLE_COMMANDS: readonly ConsoleCommand[] = [
  {
    name: 'help',
    usage: '[COMMAND]',
    help: 'List all commands, or show the usage of one',
    arguments: [0, 1],
    run: (_, [name]) => help(name),
  },
  {
    name: 'info',
    usage: '[ITEM [ARGUMENTS]]',
    help: 'Show an info item, or list all items',
    arguments: [0, ANY],
    run: info,
  },
  { name: 'cpu', usage: '[N]', help: 'Choose the CPU for other commands', arguments: [0, 1], run: cpu },
  { name: 'regs', usage: '', help: 'Registers of the chosen CPU', arguments: [0, 0], run: selectedRegisters },
  {
    name: 'peek',
    usage: '[%]ADDR [LEN]',
    help: 'Show memory; % makes the address virtual',
    arguments: [1, 2],
    run: (s, [at, length]) => peek(s, at, length),
  },
  {
    name: 'poke',
    usage: '[%]ADDR HEX',
    help: 'Write memory (save keeps it)',
    arguments: [2, ANY],
    run: (s, [at, ...bytes]) => poke(s, at, bytes),
  },
  { name: 'find', usage: 'HEX | text "TEXT"', help: 'Search virtual memory', arguments: [1, ANY], run: find },
  {
    name: 'walk',
    usage: 'ADDR',
    help: 'Walk the page tables for a virtual address',
    arguments: [1, 1],
    run: (s, [at]) => walk(s, at),
  },
  {
    name: 'maps',
    usage: 'ADDR',
    help: 'Virtual addresses that lead to a physical one',
    arguments: [1, 1],
    run: (s, [at]) => mapsOf(s, at),
  },
  {
    name: 'tables',
    usage: 'guest|shadow|intermediate [DEPTH [ADDR]]',
    help: 'Dump page tables; guest: also where they map a page; intermediate: those of world switches',
    arguments: [1, 3],
    run: tables,
  },
  {
    name: 'prefetch',
    usage: 'ADDR [LEN]',
    help: 'Fill shadow tables by reading virtual memory',
    arguments: [1, 2],
    run: (s, [at, length]) =>
      prefetch(s, parseBigNumber(at), length === undefined ? 1 : parseCount(length, 1, 1024 * MIB)),
  },
  {
    name: 'stats',
    usage: '[GLOB]',
    help: 'Show statistics by name; without a name those of pages',
    arguments: [0, 1],
    run: (s, [glob]) => showStatistics(s, glob),
  },
  {
    name: 'statsreset',
    usage: '[GLOB]',
    help: 'Set statistics to 0; without a name all',
    arguments: [0, 1],
    run: (s, [glob]) => resetStatistics(s, glob),
  },
  { name: 'pgmram', usage: '', help: 'Display the RAM ranges', arguments: [0, 0], run: pgmRam },
  { name: 'pgmsync', usage: '', help: 'Sync the CR3 page', arguments: [0, 0], run: pgmSync },
  { name: 'pgmsyncalways', usage: '', help: 'Toggle permanent CR3 syncing', arguments: [0, 0], run: pgmSyncAlways },
  {
    name: 'checkintegrity',
    usage: '',
    help: 'Check ranges, pages, counts and handlers',
    arguments: [0, 0],
    run: integrity,
  },
  { name: 'pgmassertcr3', usage: '', help: 'Check the shadow CR3 mapping', arguments: [0, 0], run: pgmAssertCr3 },
  {
    name: 'pgmpoolcheck',
    usage: '',
    help: 'Check all tables of the shadow pool',
    arguments: [0, 0],
    run: pgmPoolCheck,
  },
  {
    name: 'pgmerror',
    usage: '[WHERE]',
    help: 'Inject errors into the page manager',
    arguments: [0, 1],
    run: (s, [where]) => pgmError(s, true, where),
  },
  {
    name: 'pgmerroroff',
    usage: '[WHERE]',
    help: 'End the injection of errors',
    arguments: [0, 1],
    run: (s, [where]) => pgmError(s, false, where),
  },
  {
    name: 'pgmphystofile',
    usage: 'FILE [nozero]',
    help: 'Save physical memory to a file; nozero skips zero pages',
    arguments: [1, 2],
    run: (s, [file, option]) => physToFile(s.machine, file, option),
  },
  {
    name: 'save',
    usage: 'FILE',
    help: 'Write the machine as it is now',
    arguments: [1, 1],
    run: (s, [file]) => save(s, file),
  },
];

function help(name: string | undefined): Answer {
  const commands = CONSOLE_COMMANDS.filter((command) => name === undefined || command.name === name);
  if (commands.length === 0)
    throw new UsageError('unknown-command', `Cannot help with ${name}: there is no such command`);
  const width = Math.max(...commands.map(({ name: own, usage }) => own.length + usage.length + 1));
  const lines = commands.map(({ name: own, usage, help: text }) => `${`${own} ${usage}`.padEnd(width)}  ${text}`);
  return linesOf(
    lines,
    commands.map(({ name: own, usage, help: text }) => ({ name: own, usage, help: text })),
  );
}

function info(session: ConsoleSession, [name, ...words]: readonly string[]): Answer {
  if (name === undefined) {
    return linesOf(
      INFO_ITEMS.map((item) => `${item.name.padEnd(10)} ${item.help}`),
      INFO_ITEMS.map((item) => ({ name: item.name, help: item.help })),
    );
  }
  const item = INFO_ITEMS.find((each) => each.name === name);
  if (!item)
    throw new UsageError(
      'unknown-item',
      `Cannot show ${name}: expected ${INFO_ITEMS.map((each) => each.name).join(', ')}`,
    );
  return item.show(session, words);
}

function cpu(session: ConsoleSession, [text]: readonly string[]): Answer {
  if (text !== undefined) session.selectCpu(parseCount(text, 0, 1023));
  return linesOf([`CPU ${session.cpu} of ${session.cpuCount}`], [{ cpu: session.cpu, cpus: session.cpuCount }]);
}

function tables(session: ConsoleSession, [which, depth, wanted]: readonly string[]): Answer | Promise<Answer> {
  const levels = depth === undefined ? MAX_DEPTH : parseCount(depth, 0, MAX_DEPTH);
  if (which === 'guest')
    return guestTables(session, levels, wanted === undefined ? undefined : Number(parseBigNumber(wanted)));
  if (which === 'shadow') return shadowTables(session, levels);
  if (which === 'intermediate') return intermediateTables(session, levels);
  throw new UsageError('bad-tables', `Cannot show ${which} tables: expected guest, shadow or intermediate`);
}
