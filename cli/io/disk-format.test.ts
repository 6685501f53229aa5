import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { diskFormats } from './disk-format.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-disks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What is found in a disk that begins so. */
async function found(...pieces: (string | Uint8Array)[]): Promise<string | undefined> {
  const file = join(folder, 'disk');
  writeFileSync(file, Buffer.concat(pieces.map((piece) => Buffer.from(piece as string))));
  return (await diskFormats(new Map([['ide0:0', file]]))).get('ide0:0');
}

function qcow2({ version = 3, backing = 0n, flags = 0n }): Buffer {
  const head = Buffer.alloc(512);
  head.write('QFI\u00fb', 'latin1');
  head.writeUInt32BE(version, 4);
  head.writeBigUInt64BE(backing, 8);
  head.writeBigUInt64BE(flags, 72);
  return head;
}

function vmdk({ sectors = 2048n }): Buffer {
  const head = Buffer.alloc(512);
  head.write('KDMV');
  head.writeBigUInt64LE(sectors, 12);
  return head;
}

const DESCRIPTION = 'CID=fffffffe\nparentCID=ffffffff\nRW 2048 FLAT "/etc/shadow" 0\n';

describe('diskFormats()', () => {
  it('knows images by their marks, and takes what has none, however short, as it is', async () => {
    expect(await found(qcow2({}))).toBe('qcow2');
    expect(await found(qcow2({ version: 2, flags: 4n }))).toBe('qcow2');
    expect(await found(vmdk({}))).toBe('vmdk');
    expect([await found(''), await found(new Uint8Array(600))]).toEqual(['raw', 'raw']);
  });

  it.each([
    ['a backing file', qcow2({ backing: 512n })],
    ['a file with its data', qcow2({ flags: 4n })],
    ['a parent', Buffer.concat([vmdk({}), Buffer.from('\nparentFileNameHint="/etc/shadow"')])],
    ['files with its data, in words', Buffer.from(`# Disk DescriptorFile\nversion=1\n${DESCRIPTION}`)],
    // QEMU reads the description where the head says it is, which may be anywhere.
    ['files with its data, far behind its head', vmdk({ sectors: 0n })],
  ])('refuses an image that names %s', async (_, head) => {
    await expect(found(head)).rejects.toMatchObject({ code: 'external-data' });
  });
});
