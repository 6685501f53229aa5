import { describe, expect, it } from 'vitest';
import { MIB } from '../sizes.ts';
import { findDescription } from './find-description.ts';

const END_MARK = 0;
const DESCRIPTION = 6;

/** Bytes before a description, the end mark and its head. @param said length that the head says */
function stream(before: number, json: string, said = json.length): Buffer {
  const head = Buffer.from([END_MARK, DESCRIPTION, 0, 0, 0, 0]);
  head.writeUInt32BE(said, 2);
  return Buffer.concat([Buffer.alloc(before, 0xaa), head, Buffer.from(json)]);
}

describe('where a description stands', () => {
  it.each(['{"configuration":{}}', '{ "page_size": 4096 }', '{\n\t"devices": []}'])('%j', (json) => {
    const bytes = stream(100, json);
    expect(findDescription(bytes)).toEqual({ at: 101, end: bytes.length });
    const followed = Buffer.concat([bytes, Buffer.alloc(30, 0xaa)]);
    expect(findDescription(followed)).toEqual({ at: 101, end: bytes.length });
    const torn = stream(100, json, 1 << 30);
    expect(findDescription(torn)).toEqual({ at: 101, end: torn.length, isTorn: true });
  });

  it.each(['{"configuratiom":{}}', `{${' '.repeat(60)}"devices":[]}`, '{devices:[]}', '{"devices'])(
    'not of other words: %j',
    (json) => expect(findDescription(stream(100, json, 1 << 30))).toBeUndefined(),
  );

  it('is found soon among many braces', () => {
    const since = process.cpuUsage();
    expect(findDescription(Buffer.alloc(32 * MIB, '{'))).toBeUndefined();
    // Half a second on an idle host; a search from each brace to the end would take hours.
    expect(process.cpuUsage(since).user / 1000).toBeLessThan(20_000);
  });
});
