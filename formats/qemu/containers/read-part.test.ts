import { expect, it } from 'vitest';
import { bufferSource } from '../../files/source.ts';
import { readPart } from './read-part.ts';

const file = bufferSource(Buffer.from('0123456789'));

it('reads a part, filled up with zeros where fewer bytes suffice', async () => {
  expect(Buffer.from(await readPart(file, 2, 3, 'part')).toString()).toBe('234');
  expect(Buffer.from(await readPart(file, 8, 4, 'part', 2)).toString()).toBe('89\0\0');
});

it('takes no memory for bytes that only a head claims', async () => {
  const end = { place: { offset: 10 }, code: 'truncated', message: 'Cannot read part: the file ends at 0xa' };
  await expect(readPart(file, 2, 2 ** 60, 'part')).rejects.toMatchObject(end);
  await expect(readPart(file, 8, 4, 'part', 3)).rejects.toMatchObject(end);
});
