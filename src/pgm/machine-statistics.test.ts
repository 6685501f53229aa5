import { expect, test } from 'vitest';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { HostMemory } from '../gmm/host-memory.ts';
import { GuestMemory } from './guest-memory.ts';
import { machineStatistics } from './machine-statistics.ts';
import { HostBacking } from './pages/host-backing.ts';

test('machineStatistics() shows what the machine counts, as it is now', () => {
  const backing = new HostBacking(new HostMemory({ maxMappedChunks: 2 }));
  const memory = new GuestMemory(backing);
  const tree = machineStatistics(memory, 1);
  memory.registerRam(0, 8 * MIB, 'Base RAM');
  memory.handlers.register({ kind: 'write', start: 0, end: PAGE_SIZE, description: 'test', callback: () => 'default' });
  for (let at = 0; at < 8 * MIB; at += PAGE_SIZE) memory.write(at, Uint8Array.of(1));
  memory.handlers.reset(0);
  memory.requests.carryOut({ what: 'share', gcPhys: 0, pageId: memory.ranges.all[0].pageId[0] });
  memory.write(0, Uint8Array.of(2));
  memory.balloon.inflate([PAGE_SIZE, 2 * PAGE_SIZE]);
  memory.read(0, new Uint8Array(10));
  const expected = {
    '/PGM/Page/cAllPages': 2048,
    '/PGM/Page/cPrivatePages': 2046,
    '/PGM/Page/cSharedPages': 0,
    '/PGM/Page/cBalloonedPages': 2,
    '/PGM/Page/cHandyPages': backing.handy.count,
    '/PGM/ChunkR3Map/c': 2,
    '/PGM/ChunkR3Map/cMax': 2,
    '/PGM/R3/Phys/Write': 2049,
    '/PGM/R3/Phys/Write/Bytes': 2049,
    '/PGM/R3/Phys/Read': 1,
    '/PGM/R3/Phys/Read/Bytes': 10,
    '/PGM/R3/PhysHandlerReset': 1,
    '/PGM/R3/Page/ReplacedShared': 1,
    '/PGM/RZ/Page/ReplacedZero': 2048,
    '/MM/cbRamBase': 8 * MIB,
    '/MM/Reserved/cBasePages': 2048 + 128,
    '/MM/Reserved/cHandyPages': 128,
  };
  for (const [path, value] of Object.entries(expected)) expect([path, tree.valueOf(path)]).toEqual([path, value]);
  expect(tree.valueOf('/PGM/ChunkR3Map/TlbMissesR3')).toBeGreaterThan(0);
  expect(tree.valueOf('/PGM/RC/DynMapCache/Hits')).toBe(0);
  memory.close();
  backing.host.close();
});
