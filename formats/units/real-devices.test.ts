import { describe, expect, it } from 'vitest';
import { machineUnits } from '../testing/machine-units.ts';
import { decodeUnit } from './table.ts';

const units = machineUnits();

/** Fields of a unit of a real machine, by path. */
function fieldsOf(machine: string, name: string): Map<string, { value: unknown; text: string }> {
  const unit = units.find((each) => each.state === machine && each.name === name);
  if (!unit) throw new Error(`${machine} has no unit ${name}`);
  const decoded = decodeUnit({ ...unit, pass: 'final' }, unit.payload);
  return new Map(decoded?.fields.map((field) => [field.path, field]));
}

describe('units of devices of VirtualBox 7.2.22', () => {
  it('hda: the codec is the one that VirtualBox imitates, and nothing plays', () => {
    const fields = fieldsOf('hda', 'hda');
    // STAC9220 of SigmaTel, as `debugvm info hdcnodes` names it.
    expect(fields.get('nodes[0].parameters[0]')?.text).toBe('0x83847680');
    expect(fields.get('nodeCount')?.value).toBe(28);
    expect([0, 1, 7].map((i) => fields.get(`streams[${i}].id`)?.value)).toEqual([0, 1, 7]);
    expect(fields.get('streams[7].bufferUsed')?.value).toBe(0);
    expect(fields.has('streams[8].id')).toBe(false);
  });

  it('ichac97: rates and codec stand at their registers', () => {
    const fields = fieldsOf('ac97', 'ichac97');
    // AC'97 2.3: the rate of the front outputs at 2C, the vendor at 7C and 7E.
    expect(fields.get('mixer[22]')?.value).toBe(48000);
    expect([fields.get('mixer[62]')?.text, fields.get('mixer[63]')?.text]).toEqual(['0x8384', '0x7600']);
  });

  it('sb16: resources are the usual ones of such a card', () => {
    const fields = fieldsOf('sb16', 'sb16');
    const names = ['interrupt', 'dma', 'highDma', 'port', 'dspVersion'];
    for (const part of ['configured', 'current'])
      expect(names.map((name) => fields.get(`${part}.${name}`)?.value)).toEqual([5, 1, 5, 0x220, 0x405]);
    expect(fields.get('frequency')?.value).toBe(11025);
  });

  it('usb: registers have the values that the controllers have after a reset', () => {
    const ohci = fieldsOf('ohci', 'usb-ohci');
    // OHCI 1.0a: HcFmInterval 2EDFh and an FSMPS of 2778h, 12 ports in HcRhDescriptorA, bus off.
    expect(ohci.get('frameInterval')?.text).toBe('0x2edf2778');
    expect(Number(ohci.get('hubDescriptorA')?.value) & 0xff).toBe(12);
    const ehci = fieldsOf('ehci', 'usb-ehci');
    // EHCI 1.0: halted, 12 ports.
    expect(ehci.get('interfaceVersion')?.text).toBe('0x100');
    expect(ehci.get('status')?.text).toBe('0x1000');
    expect(Number(ehci.get('structuralParameters')?.value) & 0xf).toBe(12);
    const xhci = fieldsOf('xhci', 'usb-xhci');
    // xHCI 1.0: halted; PORTSC says powered, no device.
    expect(xhci.get('status')?.text).toBe('0x1');
    expect(xhci.get('portCount')?.value).toBe(14);
    expect(xhci.get('ports[13].status')?.text).toBe('0x2a0');
  });

  it('virtio: queues have their names, the card has an address of VirtualBox', () => {
    const scsi = fieldsOf('vscsihd', 'virtio-scsi');
    expect([0, 1, 2].map((i) => scsi.get(`device.queues[${i}].name`)?.text)).toEqual([
      'controlq',
      'eventq',
      'requestq<0>',
    ]);
    expect(scsi.get('targets[0].count')?.value).toBe(0);
    expect(fieldsOf('vscsi', 'virtio-scsi').has('targets[0].count')).toBe(false);
    const net = fieldsOf('virtio', 'virtio-net');
    // The first half is Oracle's.
    expect(net.get('mac')?.value).toMatch(/^080027[0-9a-f]{6}$/);
    expect(net.get('queueCount')?.value).toBe(3);
  });
});
