import { bool, u8, u16, u32 } from '../../binary/kinds.ts';
import { separator } from '../../binary/markers.ts';
import { defineStruct, type StructValue, startOf } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { type DeviceConfig, isaConfig } from '../codec/device-config.ts';
import { fields, oneOf, timer, x8, x16 } from '../codec/kinds.ts';
import { comparedRow, type UnitRow, versions } from '../codec/unit-row.ts';

/** Types by number, with their names in settings. */
export const UART_TYPES: Readonly<Record<number, string>> = { 1: '16450', 2: '16550A', 3: '16750' };

/** @param type name of the UART's type in settings */
export function serialConfig(irq: number, port: number, type: string): DeviceConfig {
  return { ...isaConfig(irq, port), type };
}

const uart = defineStruct('Unit serial, version 7', 'device-units.md', {
  irq: { kind: u8, doc: 'interrupt; compared with the machine' },
  port: { kind: x16, doc: 'first I/O port; compared with the machine' },
  type: { kind: oneOf(u32, UART_TYPES), doc: 'compared with the machine' },
  divisor: { kind: u16, doc: 'divisor of 115200 baud' },
  ...fields(x8, ['rbr', 'thr', 'ier', 'iir', 'fcr', 'lcr', 'mcr', 'lsr', 'msr', 'scr']),
  timeoutPending: { kind: bool, doc: 'interrupt for a character that nobody has fetched' },
  thrEmptyPending: { kind: bool, doc: 'interrupt for an empty transmitter' },
  ...fields(u8, ['sendFifo', 'sendLevel', 'receiveFifo', 'receiveLevel'], 'bytes; their contents are not saved'),
  receiveTimeout: { kind: timer, doc: '' },
  notConnected: { kind: timer, doc: '' },
  separator,
});

const head = startOf(uart, 'type');

export type Uart = StructValue<typeof uart>;
export const serialCodec = codecOf(uart);

const compared = comparedRow('serial', versions(7), (cursor) => {
  const { irq = 0, port = 0, type } = head.read(cursor);
  return serialConfig(irq, port, UART_TYPES[type] ?? String(type));
});

export const serialRow: UnitRow = { ...compared, codec: serialCodec };
