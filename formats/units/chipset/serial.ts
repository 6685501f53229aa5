import { u8, u16, u32 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import type { DeviceConfig } from '../codec/device-config.ts';
import { comparedRow, versions } from '../codec/unit-row.ts';

const UART_TYPES: Record<number, string> = { 1: '16450', 2: '16550A', 3: '16750' };

const serialHead = defineStruct('Start of unit serial, version 7', 'units-compared.md', {
  irq: { kind: u8, doc: 'interrupt' },
  port: { kind: u16, doc: 'first I/O port' },
  type: { kind: u32, doc: '1 16450, 2 16550A, 3 16750' },
});

/** @param type as settings call it */
export function serialConfig(irq: number, port: number, type: string): DeviceConfig {
  return { interrupt: irq, 'I/O port': `0x${port.toString(16)}`, type };
}

export const serialRow = comparedRow('serial', versions(7), (cursor) => {
  const { irq, port, type } = serialHead.read(cursor);
  return serialConfig(irq, port, UART_TYPES[type] ?? String(type));
});
