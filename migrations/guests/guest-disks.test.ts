import { describe, expect, it } from 'vitest';
import { UnsupportedError } from '../../formats/errors.ts';
import type { Ask } from '../qmp/ask.ts';
import { learnDisks } from './guest-disks.ts';

/** Answers of QEMU 7 and 10 about two disks; a node is a format, or the file below it, perhaps with `cache.direct`. */
function askOf(format: boolean, nodes: { file: string; direct: boolean }[], knowsFlat = true): Ask {
  const disk = (node: string, file: string, direct: boolean) => ({
    ...{ device: '', qdev: `/machine/${node}` },
    inserted: { 'node-name': node, ro: false, file, image: { 'virtual-size': 1 }, cache: { direct } },
  });
  const said: Record<string, unknown> = {
    'query-block': [disk('a', '/a.qcow2', format), disk('b', '/b.qcow2', false)],
    'query-named-block-nodes': nodes.map(({ file, direct }) => ({ file, cache: { direct } })),
  };
  return async (command, shape, args) => {
    if (args && !knowsFlat) throw new UnsupportedError('qmp-refused', 'Parameter flat is unexpected');
    return shape(said[command]);
  };
}

describe('learnDisks()', () => {
  const plain = { file: '/b.qcow2', direct: false };
  it.each([
    ['no', false, [plain], [false, false]],
    ['the format of one', true, [plain], [true, false]],
    // -blockdev driver=file,cache.direct=on,node-name=f -blockdev driver=qcow2,file=f
    ['the file below one', false, [plain, { file: '/a.qcow2', direct: true }], [true, false]],
    ['a backing file of any', false, [plain, { file: '/base.qcow2', direct: true }], [true, true]],
  ])('tells which disks pass the cache by: %s', async (_, format, nodes, direct) => {
    for (const knowsFlat of [true, false])
      expect((await learnDisks(askOf(format, nodes, knowsFlat))).map(({ isDirect }) => isDirect)).toEqual(direct);
  });
});
