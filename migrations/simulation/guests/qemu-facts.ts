import { RAM_AT } from '../world/simulated-proc.ts';

/** Facts that a simulated QEMU tells about itself. */
interface PretendedQemu {
  readonly name: string;
  readonly ramPath: string;
  /** Its memory is not shared. */
  readonly isPrivate?: boolean;
  /** Contents of its disks. */
  readonly disks?: readonly Uint8Array[];
  readonly memory: { readonly length: number };
  readonly capabilities: Record<string, boolean>;
  readonly parameters: Record<string, unknown>;
}

/** Answers QMP commands that only ask. @throws Error for unknown ones */
export function answerFacts(
  { name, ramPath, isPrivate = false, disks = [], memory, capabilities, parameters }: PretendedQemu,
  command: string,
  { path, property, 'command-line': line }: Record<string, unknown>,
): unknown {
  switch (command) {
    case 'qmp_capabilities':
    case 'announce-self':
      return {};
    case 'query-kvm':
      return { enabled: false, present: true };
    case 'query-cpus-fast':
      return [{ 'cpu-index': 0 }];
    case 'query-name':
      return { name };
    case 'query-memdev':
      return [{ id: 'pc.ram', size: memory.length, share: !isPrivate }];
    case 'query-block':
      return disks.map(({ length }, i) => ({ device: `disk${i}`, inserted: insertedOf(i, length) }));
    case 'query-named-block-nodes':
      return disks.map((_, i) => ({ file: `${IMAGES}${i}`, cache: { direct: false } }));
    case 'query-block-jobs':
    case 'qom-list':
      return [];
    case 'human-monitor-command':
      if (line !== 'info ramblock') return 'bus: main-system-bus\r\n';
      return `pc.ram  4 KiB  0x0 0x${memory.length.toString(16)} 0x0 0x${RAM_AT.toString(16)} rw\r\n`;
    case 'qom-get': {
      if (path === '/machine') return 'pc-i440fx-7.2-machine';
      const type = isPrivate ? 'memory-backend-ram' : 'memory-backend-file';
      if (property === 'type') return type;
      if (property === 'mem-path' && !isPrivate) return ramPath;
      throw new Error(`Property '${type}.${property}' not found`);
    }
    case 'query-migrate-capabilities':
      return Object.entries(capabilities).map(([capability, state]) => ({ capability, state }));
    case 'query-migrate-parameters':
      return parameters;
    default:
      throw new Error(`The command ${command} has not been found`);
  }
}

const IMAGES = '/images/vm';

/** A disk of a guest, as `query-block` reports it. */
function insertedOf(number: number, bytes: number): object {
  const image = { 'virtual-size': bytes };
  return { 'node-name': `disk${number}`, ro: false, file: `${IMAGES}${number}`, image, cache: { direct: false } };
}
