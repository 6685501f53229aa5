import { PAGE_SIZE } from '../../../formats/sizes.ts';

/** A Linux kernel's description of itself, made for crash dumps (core-dump.md 2.3). */
export interface Vmcoreinfo {
  /** Text of the note. */
  text: Uint8Array;
  /** `OSRELEASE`. */
  release: string;
  /** `NUMBER(…)`, decimal. */
  numbers: ReadonlyMap<string, bigint>;
  /** `SYMBOL(…)`: virtual addresses. */
  symbols: ReadonlyMap<string, bigint>;
  /** `OFFSET(…)`: offsets of members in structures, in bytes. */
  offsets: ReadonlyMap<string, bigint>;
  /** `KERNELOFFSET`: distance of the kernel from the addresses in its file. */
  kernelOffset?: bigint;
}

/** Name of the note, with its NUL. A note has the sizes of name and contents, type 0, then the padded name. */
export const NOTE_NAME = 'VMCOREINFO\0';
export const NAME_OFFSET = 12;
const NOTE_HEADER = 24;
const MAX_TEXT = PAGE_SIZE - NOTE_HEADER;

/** Size of the contents of the note at the start of `header`; undefined if there is no such note. */
export function noteSize(header: Uint8Array): number | undefined {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const name = String.fromCharCode(...header.subarray(NAME_OFFSET, NAME_OFFSET + NOTE_NAME.length));
  if (view.getUint32(0, true) !== NOTE_NAME.length || view.getUint32(8, true) !== 0 || name !== NOTE_NAME)
    return undefined;
  const size = view.getUint32(4, true);
  return size > 0 && size <= MAX_TEXT ? size : undefined;
}

/** Reads the note at an address; undefined for anything but a whole, well-formed one. */
export function readVmcoreinfo(read: (at: number, target: Uint8Array) => void, at: number): Vmcoreinfo | undefined {
  const header = new Uint8Array(NOTE_HEADER);
  read(at, header);
  const size = noteSize(header);
  if (size === undefined) return undefined;
  const text = new Uint8Array(size);
  read(at + NOTE_HEADER, text);
  return parse(text);
}

/** Characters of a release's name, which is no longer than `utsname` allows. */
const RELEASE = /^[\x21-\x7e]{1,64}$/;
const LINE = /^[\x20-\x7e]{1,120}=[\x20-\x7e]{0,255}$/;

function parse(text: Uint8Array): Vmcoreinfo | undefined {
  const lines = String.fromCharCode(...text)
    .replace(/\n?\0*$/, '')
    .split('\n');
  if (!lines.every((line) => LINE.test(line))) return undefined;
  const values = new Map(
    lines.map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const release = values.get('OSRELEASE') ?? '';
  if (!lines[0].startsWith('OSRELEASE=') || !RELEASE.test(release) || values.get('PAGESIZE') !== String(PAGE_SIZE))
    return undefined;
  const all = (kind: string, form: RegExp, prefix = '') =>
    new Map(
      [...values]
        .filter(([key, value]) => key.startsWith(`${kind}(`) && key.endsWith(')') && form.test(value))
        .map(([key, value]): [string, bigint] => [key.slice(kind.length + 1, -1), signed(prefix, value)]),
    );
  const kernelOffset = values.get('KERNELOFFSET') ?? '';
  return {
    text,
    release,
    numbers: all('NUMBER', /^-?\d{1,20}$/),
    symbols: all('SYMBOL', /^[\da-f]{1,16}$/, '0x'),
    offsets: all('OFFSET', /^\d{1,10}$/),
    kernelOffset: /^[\da-f]{1,16}$/.test(kernelOffset) ? signed('0x', kernelOffset) : undefined,
  };
}

function signed(prefix: string, digits: string): bigint {
  return digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(prefix + digits);
}
