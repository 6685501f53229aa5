import { PAGE_SIZE } from '../../../formats/sizes.ts';
import {
  type CommandLine,
  joinParts,
  partsOf,
  type QemuOption,
} from '../../../src/saved-state/qemu-check/command-words.ts';
import type { QemuDescription } from '../../machine/description.ts';
import { MigrationError } from '../../wire/migration-error.ts';

// Makes a target's command line of the source's: the same machine, waiting, with memory that savkit can fill.

/** Options that a target does not take over: it waits for a migration, and this process watches it. */
const DROPPED = new Set(['incoming', 'daemonize', 'S', 'pidfile', 'loadvm']);

/** Kinds of memory that other processes can fill. */
const SHARED_KINDS = ['memory-backend-file', 'memory-backend-memfd'];

/**
 * The options of a QEMU that takes a guest in.
 * @param qmp path of the socket for this process
 * @throws MigrationError `snapshot`
 */
export function targetOptions({ options }: CommandLine, { regions }: QemuDescription, qmp: string): QemuOption[] {
  if (options.some(({ name }) => name === 'snapshot'))
    throw new MigrationError(
      'snapshot',
      'Cannot start a target with -snapshot: all that the guest has written to its disks would be missing',
    );
  const kept = options.filter(({ name }) => !DROPPED.has(name)).map(withFillableMemory);
  return [
    ...withBackend(kept, regions),
    { name: 'qmp', value: `unix:${qmp.replaceAll(',', ',,')},server=on,wait=off` },
    { name: 'incoming', value: 'defer' },
    // Without -S, a guest that ran when QEMU began to save it would run as soon as it is loaded.
    { name: 'S', value: undefined },
  ];
}

/** Replaces private memory of QEMU by shared memory of the same size and name. */
function withFillableMemory(option: QemuOption): QemuOption {
  if (option.name !== 'object' || option.value === undefined || option.value.startsWith('{')) return option;
  const [kind, ...rest] = partsOf(option.value);
  const type = kind.key === 'qom-type' ? kind.value : kind.key === '' ? kind.value : '';
  if (!type.startsWith('memory-backend-')) return option;
  const isFillable = SHARED_KINDS.includes(type);
  const parts = rest.filter(({ key }) => key !== 'share').concat({ key: 'share', value: 'on' });
  return {
    name: 'object',
    value: joinParts([{ key: '', value: isFillable ? type : 'memory-backend-memfd' }, ...parts]),
  };
}

/** Adds a memory backend to a machine without one, with the name of the source's memory. */
function withBackend(options: QemuOption[], regions: QemuDescription['regions']): QemuOption[] {
  const hasBackend = options.some(({ name, value = '' }) => name === 'object' && value.includes('memory-backend-'));
  if (hasBackend || regions.length !== 1) return options;
  const [{ name, pages }] = regions;
  const id = name.replaceAll(',', ',,');
  const backend = { name: 'object', value: `memory-backend-memfd,id=${id},size=${pages * PAGE_SIZE},share=on` };
  return [...options, backend, { name: 'machine', value: `memory-backend=${id}` }];
}
