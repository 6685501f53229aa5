import { bufferSource } from '../../formats/files/source.ts';
import { PageKind } from '../../formats/pgm/page-batch.ts';
import { GIB, MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { stateWith } from '../../formats/testing/claimed-state.ts';
import { loadState } from '../../src/machine/load.ts';
import { describeMachine } from '../virtual-machine/departing-machine.ts';
import { MachineHost } from '../virtual-machine/machine-host.ts';
import { MachinePages } from '../virtual-machine/machine-pages.ts';
import { MAX_PAGES } from '../wire/limits.ts';
import { PROTOCOL } from '../wire/messages.ts';
import { answerOf, targetAndPeer } from './rude-peer.ts';

// What descriptions of machines cost a target, in a process of its own: prints a line of JSON for each, what it was
// answered and the MiB of memory that the process has taken at most so far. A target that takes 64 MiB.

const ROM = { id: 1, device: '', instance: 0, region: 0, description: 'BIOS', address: 0xf0000, size: 4 * PAGE_SIZE };
const VRAM = { id: 1, device: 'vga', instance: 0, region: 0, description: 'VRam', size: PAGE_SIZE };
const honest = await loadState(bufferSource(await stateWith({})));
const { regions: REGIONS } = describeMachine('vm', honest, new MachinePages(honest.memory));
const RAM = { kind: 'ram', name: 'Base RAM', id: 0, firstFrame: 0, pages: 1 };
const noise = Uint8Array.from({ length: PAGE_SIZE }, (_, i) => (i * 0x9e3779b1) >>> 24);

const CLAIMS: [string, () => Promise<Uint8Array>, object[]?][] = [
  ['nothing out of the way', () => stateWith({})],
  ['more memory than the target takes', () => stateWith({}), [{ ...RAM, pages: MAX_PAGES }]],
  [
    'more memory in many regions',
    () => stateWith({}),
    Array.from({ length: 1024 }, (_, id) => ({ ...RAM, id, pages: 2 ** 26 })),
  ],
  ['more RAM than was described', () => stateWith({ ramSize: 1024 * GIB })],
  ['more device memory than was described', () => stateWith({ mmio2: [{ ...VRAM, size: 4 * GIB }] })],
  ['more ROM than was described', () => stateWith({ roms: [{ ...ROM, address: 4 * GIB, size: 256 * MIB }] })],
  [
    'thousands of devices',
    () =>
      stateWith({
        mmio2: Array.from({ length: 200 }, (_, i) => ({ ...VRAM, id: i + 1, instance: i, size: 16 * MIB })),
      }),
  ],
  [
    'pages with contents',
    () =>
      stateWith({}, (pass) => {
        for (let page = 0; page < 100; page++) pass.putPage(PageKind.RAM_RAW, page, 0, 0, noise);
      }),
  ],
  ['a unit that grows', () => stateWith({}, undefined, [{ name: 'bomb', size: 300 * MIB }])],
  [
    'a hundred thousand units',
    () =>
      stateWith(
        {},
        undefined,
        Array.from({ length: 100_000 }, () => ({ name: 'x', size: 1 })),
      ),
  ],
];

for (const [what, claim, regions = REGIONS] of CLAIMS) {
  const rest = await claim();
  const before = process.memoryUsage().rss;
  const { channel, nonce } = await targetAndPeer(new MachineHost({ maxBytes: 64 * MIB }));
  const capabilities = { zstd: true, streams: 1, window: MIB };
  await channel.send(
    'hello',
    {},
    { protocol: PROTOCOL, version: 1, nonce, migration: '00'.repeat(16), attempt: 1, capabilities },
  );
  const description = { name: 'vm', release: '7.2.22r1', cpus: 1, pgmVersion: 14, executes: true, units: [], regions };
  await channel.send('describe', {}, { description, rest });
  let top = 0;
  const look = setInterval(() => {
    top = Math.max(top, process.memoryUsage().rss);
  }, 5);
  const answer = await answerOf(channel);
  clearInterval(look);
  channel.destroy();
  console.log(
    JSON.stringify({
      what,
      size: rest.length,
      answer: answer.slice(0, 200),
      mib: Math.round((Math.max(top, process.memoryUsage().rss) - before) / MIB),
      peak: process.resourceUsage().maxRSS / 1024,
    }),
  );
}
process.exit(0);
