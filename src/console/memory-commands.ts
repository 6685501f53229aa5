import { countText } from '../../formats/amounts.ts';
import { hex, UsageError } from '../../formats/errors.ts';
import { writeFileSink } from '../../formats/files/sink.ts';
import { MIB } from '../../formats/sizes.ts';
import { parseBigNumber, parseBytes, parseCount } from '../../formats/values/number-text.ts';
import { peek as peekPhysical, poke as pokePhysical } from '../machine/edit.ts';
import { saveState } from '../machine/save.ts';
import { findBytes } from '../paging/find-bytes.ts';
import { virtualAddressesOf } from '../paging/mappings-of.ts';
import { MODE_NAMES } from '../paging/modes.ts';
import { hexLines } from '../saved-state/describe/hex-lines.ts';
import { type Answer, linesOf } from './answer.ts';
import type { ConsoleSession } from './session.ts';

// Commands on memory that VirtualBox's debugger does not have. As in the debugger, `%` marks a virtual address.

const DEFAULT_LENGTH = 128;
const MAX_LENGTH = MIB;
const MAX_HITS = 1000;

/** `peek [%]ADDR [LEN]` */
export function peek(session: ConsoleSession, place: string, length: string | undefined): Answer {
  const count = length === undefined ? DEFAULT_LENGTH : parseCount(length, 1, MAX_LENGTH);
  const { isVirtual, address } = parsePlace(place);
  let bytes = new Uint8Array(count);
  if (isVirtual) session.space().read(address, bytes);
  else bytes = Uint8Array.from(peekPhysical(session.machine.memory, Number(address), count).bytes);
  return {
    text: hexLines(bytes, address),
    rows: [{ at: hex(address), isVirtual, hex: Buffer.from(bytes).toString('hex') }],
  };
}

/** `poke [%]ADDR BYTES`; `save` writes the changed machine to a file. */
export function poke(session: ConsoleSession, place: string, digits: readonly string[]): Answer {
  const { isVirtual, address } = parsePlace(place);
  const bytes = parseBytes(digits.join(' '));
  if (isVirtual) session.space().write(address, bytes);
  else pokePhysical(session.machine.memory, Number(address), bytes);
  session.hasChanges = true;
  return linesOf([`${countText(bytes.length, 'byte')} written at ${place}`]);
}

/** `walk ADDR`: each entry on the way to a page, with its target. */
export function walk(session: ConsoleSession, text: string): Answer {
  const address = parsePlace(text).address;
  const space = session.space();
  const found = space.translate(address);
  const steps = found.entries.map(
    ({ name, address: at, value }) => `  ${name.padEnd(5)} ${at === undefined ? 'latched' : hex(at)}: ${hex(value)}`,
  );
  const rights =
    found.status === 'mapped'
      ? [found.writable && 'writable', found.user && 'user', found.executable && 'executable']
          .filter(Boolean)
          .join(', ')
      : '';
  const end =
    found.status === 'mapped'
      ? `${hex(found.gcPhys)}, page of ${found.pageSize} bytes, ${rights || 'read only'}`
      : found.status;
  const row = found.status === 'mapped' ? { physical: hex(found.gcPhys), pageSize: found.pageSize } : {};
  return linesOf(
    [`${hex(address)} (${MODE_NAMES[space.mode]}) → ${end}`, ...steps],
    [{ virtual: hex(address), status: found.status, ...row }],
  );
}

/** `find HEX`, `find text "TEXT"`: in the virtual memory of the selected CPU. */
export async function find(session: ConsoleSession, words: readonly string[]): Promise<Answer> {
  const pattern =
    words[0] === 'text' ? new TextEncoder().encode(words.slice(1).join(' ')) : parseBytes(words.join(' '));
  const { addresses, complete } = await findBytes(session.space(), pattern, { maxHits: MAX_HITS }, session.signal);
  const lines = addresses.map((address) => hex(address));
  if (addresses.length === 0) lines.push('Nothing found');
  if (!complete) lines.push('There may be more');
  return linesOf(
    lines,
    addresses.map((address) => ({ virtual: hex(address) })),
  );
}

/** `maps ADDR`: the virtual addresses that lead to a physical one. */
export async function mapsOf(session: ConsoleSession, text: string): Promise<Answer> {
  const at = Number(parseBigNumber(text));
  const { addresses, complete } = await virtualAddressesOf(session.space(), at, {}, session.signal);
  const lines = addresses.map((address) => hex(address));
  if (!complete) lines.push('There may be more: the tables map the same again and again');
  else if (addresses.length === 0) lines.push('No virtual address leads there');
  return linesOf(
    lines,
    addresses.map((address) => ({ virtual: hex(address) })),
  );
}

/** `save FILE`: the machine as it is now, in the container and version of its source; never over an existing file. */
export async function save(session: ConsoleSession, file: string): Promise<Answer> {
  await writeFileSink(file, {}, (sink) => saveState(session.machine, sink));
  session.hasChanges = false;
  return linesOf([`Saved to '${file}'`]);
}

function parsePlace(text: string): { isVirtual: boolean; address: bigint } {
  const isVirtual = text.startsWith('%') && !text.startsWith('%%');
  const address = parseBigNumber(text.replace(/^%{1,2}/, ''));
  if (!isVirtual && address >= 1n << 52n)
    throw new UsageError('bad-number', `Cannot reach ${text}: physical addresses have at most 52 bits`);
  return { isVirtual, address };
}
