import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { inFolder } from '../src/testing/qemu-samples.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';

const magic = join(fileURLToPath(import.meta.url), '../../docs/savkit.magic');
const file = (...args: string[]) => spawnSync('file', ['-b', '-m', magic, ...args], { encoding: 'utf8' });

describe.skipIf(file('--version').status !== 0)('docs/savkit.magic', () => {
  it.each([
    ['own-pae.sav', 'VirtualBox saved state, format 2.0, VirtualBox 7.2.22 r175245'],
    ['own-long-live.sav', 'VirtualBox saved state, format 2.0, VirtualBox 7.2.22 r175245, saved while it ran'],
  ])('lets file(1) name %s', (name, expected) => {
    const { stdout, stderr } = file(join(STATES_FOLDER, name));
    expect({ stdout, stderr }).toEqual({ stdout: `${expected}\n`, stderr: '' });
    expect(file('-i', join(STATES_FOLDER, name)).stdout).toContain('application/x-virtualbox-sav');
  });

  it('lets file name states of QEMU and images of libvirt', async () => {
    const [stream, image] = ['long-10.state', 'virsh-gzip-10.save'];
    await inFolder([stream, image], async (folder) => {
      expect(file(join(folder, stream)).stdout).toBe(
        'QEMU saved state, stream version 3, machine type pc-i440fx-7.2\n',
      );
      expect(file(join(folder, image)).stdout).toBe('libvirt save image of a QEMU domain\n');
    });
  });
});
