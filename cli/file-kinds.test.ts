import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-kinds-'));
const state = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
const file = join(folder, 'a-file');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const placed = (offset: number, magic: string) =>
  Buffer.concat([Buffer.alloc(offset, 1), Buffer.from(magic, 'latin1'), Buffer.alloc(600)]);

const KINDS: [string, RegExp, Buffer][] = [
  [
    'zeros, then anything',
    /starts with nothing but zeros/,
    Buffer.alloc(100_000, Buffer.concat([Buffer.alloc(99_999), Buffer.of(1)])),
  ],
  ['a packed file', /packed with 7z; unpack it first: 7z x FILE/, placed(0, '7z\xbc\xaf\x27\x1c')],
  ['tar', /tar -xf FILE/, placed(257, 'ustar')],
  [
    'settings',
    /\{uuid\}\.sav/,
    Buffer.from('\ufeff<?xml version="1.0"?>\n<!-- x -->\n<VirtualBox xmlns="x" version="1.19-linux">'),
  ],
  ['a disk', /disk image \(VDI\)/, placed(0x40, '\x7f\x10\xda\xbe')],
  ['the text of a VMDK', /disk image \(VMDK\)/, Buffer.from('# Disk DescriptorFile\nversion=1\n')],
  ['a core', /an ELF file/, placed(0, '\x7fELF')],
  ['a log', /savkit explain FILE/, Buffer.from('00:00:01.000 VirtualBox VM 7.0.10 r158379 linux.amd64\n')],
  ['a manifest', /a manifest of savkit/, Buffer.from('{"manifest": "savkit/manifest/1", "file": {}}')],
  ['an ISO', /an ISO image/, placed(0x8001, 'CD001')],
  ['an error page', /a web page/, Buffer.from('\n<!DOCTYPE html><html>404')],
  ['other text', /a text/, Buffer.from('hello\n')],
  ['anything', /its kind is unknown/, Buffer.from([1, 2, 3, 200, 5])],
];

/** Magic bytes, at their offset, of all kinds of files that may hold a whole state near their start. */
const AROUND: Record<string, Buffer> = {
  'a tar archive': tarHead(),
  'a file packed with zip': placed(0, 'PK\x03\x04'),
  'a file packed with gzip': placed(0, '\x1f\x8b\x08'),
  'a file packed with cpio': placed(0, '070701'),
  'a disk image (VDI)': placed(0x40, '\x7f\x10\xda\xbe'),
  'an ELF file': placed(0, '\x7fELF'),
  'a LiME image': placed(0, 'EMiL'),
  'a PNG image': placed(0, '\x89PNG\r\n\x1a\n'),
};

function tarHead(): Buffer {
  const head = Buffer.alloc(512);
  head.write('machine.sav');
  head.write('ustar', 257);
  return head;
}

/** Damages after which a file is still known as a state. */
const DAMAGES: [string, () => Buffer][] = [
  [
    'its first 100,000 bytes zeroed, its end gone',
    () => Buffer.concat([Buffer.alloc(100_000), state.subarray(100_000, -4096)]),
  ],
  ['its first 512 bytes zeroed', () => Buffer.concat([Buffer.alloc(512), state.subarray(512)])],
  ['its first 32 bytes of a gzip file', () => Buffer.concat([gzipSync(state).subarray(0, 32), state.subarray(32)])],
  ['all but its footer zeroed', () => Buffer.concat([Buffer.alloc(state.length - 32), state.subarray(-32)])],
  ['two bytes of the magic changed, the rest gone', () => Buffer.concat([Buffer.of(0, 0), state.subarray(2, 60)])],
];

describe('a file that is no saved state', () => {
  it.each(KINDS)('%s: is named', async (_, words, bytes) => {
    writeFileSync(file, bytes);
    const { stdout, exitCode } = await runHere('verify', file);
    expect([exitCode, stdout]).toEqual([5, expect.stringMatching(words)]);
    expect(stdout).toContain(`${file}: not-a-state`);
  });

  it('is named by every command, with its path', async () => {
    writeFileSync(file, placed(0, 'PK\x03\x04'));
    const out = join(folder, 'out');
    const commands = [
      ['inspect'],
      ['stats'],
      ['peek', '--at', '0'],
      ['pagetable'],
      ['check', '--virtualbox', '7.2'],
      ['diff', file],
      ['manifest', '-o', out],
      ['extract', '-o', out],
    ];
    for (const [command = '', ...words] of [...commands, ['convert'], ['salvage']]) {
      const { stdout, stderr, exitCode } = await runHere(
        command,
        file,
        ...words,
        ...(['convert', 'salvage'].includes(command) ? [out] : []),
      );
      expect([command, exitCode]).toEqual([command, 5]);
      expect(stdout + stderr, command).toContain(`${file}: `);
      expect(stdout + stderr, command).toContain('packed with zip');
    }
  });
});

describe('a file of another kind that holds a state', () => {
  it.each(Object.entries(AROUND))('%s: is named, and called no damaged state', async (kind, head) => {
    for (const inside of [state, state.subarray(0, 20_000)]) {
      writeFileSync(file, Buffer.concat([head, inside]));
      const { stdout, exitCode } = await runHere('verify', file);
      expect([exitCode, stdout]).toEqual([5, expect.stringContaining(`it is ${kind}`)]);
    }
  });
});

describe('a file that holds nothing', () => {
  it.each([
    ['empty', Buffer.alloc(0), 'nothing of a saved state is left, the file is empty'],
    ['one zero', Buffer.alloc(1), 'nothing of a saved state is left, the file holds nothing but zeros'],
    [
      'zeros of some windows',
      Buffer.alloc(3_000_000),
      'nothing of a saved state is left, the file holds nothing but zeros',
    ],
  ])('%s: is all that is left of a state', async (_, bytes, words) => {
    writeFileSync(file, bytes);
    const { stdout, exitCode } = await runHere('verify', file);
    expect([exitCode, stdout]).toEqual([1, expect.stringContaining(words)]);
  });
});

describe('a state that can no longer be known by its start', () => {
  it.each(DAMAGES)('%s: is damaged', async (_, damaged) => {
    writeFileSync(file, damaged());
    const { stdout, exitCode } = await runHere('verify', file);
    expect([exitCode, stdout]).toEqual([1, expect.stringContaining('VERR_SSM_INTEGRITY_MAGIC')]);
  });
});

describe('what is no log', () => {
  it.each([
    ['a saved state of VirtualBox', state, /it is a saved state of VirtualBox; savkit verify FILE/],
    ['a QEMU migration stream', placed(0, 'QEVM\0\0\0\x03'), /it is a QEMU migration stream; savkit verify FILE/],
    ['a packed one', gzipSync(state), /it is a saved state of VirtualBox/],
    ['a disk', placed(0, 'QFI\xfb\0\0\0\x03'), /it is a disk image \(qcow2\), and no log/],
    ['anything', Buffer.from([1, 2, 3, 200, 5, 0]), /it is no text, and so no log/],
  ])('explain says so: %s', async (_, bytes, said) => {
    writeFileSync(file, bytes);
    const { exitCode, stderr } = await runHere('explain', file);
    expect([exitCode, stderr]).toEqual([5, expect.stringMatching(said)]);
  });

  it.each([
    ['an empty file', ''],
    ['colours', '\x1b[32m00:00:01 VirtualBox VM 7.0.10\x1b[0m\r\n'],
    ['UTF-16', '\ufeff00:00:01 VirtualBox VM 7.0.10\r\n'],
  ])('a log without failures is none of those: %s', async (name, log) => {
    writeFileSync(file, log, name === 'UTF-16' ? 'utf16le' : 'utf8');
    const { exitCode, stdout } = await runHere('explain', file);
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining('no failure')]);
  });
});
