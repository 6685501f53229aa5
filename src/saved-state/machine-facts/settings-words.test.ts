import { describe, expect, it } from 'vitest';
import { readSettings } from './settings.ts';

const MEMORY = '<Memory RAMSize="16"/>';
const file = (hardware: string, platform = '<CPU count="1"/>') =>
  '<VirtualBox version="1.20-linux"><Machine name="a" OSType="Other_64">' +
  `<Hardware>${hardware}</Hardware><Platform architecture="x86">${platform}</Platform></Machine></VirtualBox>`;
const ioApic = (word: string) => file(`${MEMORY}<Firmware><IOAPIC enabled="${word}"/></Firmware>`);

// A real VirtualBox 7.2.22 was given such files, and a state of 16 MiB with an I/O APIC.
describe('readSettings() of files that were changed by hand', () => {
  it.each(['16', '0x10', '&#49;6', '&#x31;6', '16 ', '0x10&#9;', '16&#10;'])('reads RAM of %s MiB', (size) => {
    expect(readSettings(file(`<Memory RAMSize="${size}"/>`), 'a.vbox').ramSize).toBe(16 * 2 ** 20);
  });

  it.each(['016', '020', '1.6e1', '0b10000', '0o20', '', 'x', '-16'])(
    'refuses RAM of %j MiB, of which VirtualBox makes another number than others would',
    (size) => {
      expect(() => readSettings(file(`<Memory RAMSize="${size}"/>`), 'a.vbox')).toThrow(/is no number/);
    },
  );

  it.each(['true', 'yes', '1'])('takes %s for true', (word) => {
    expect(readSettings(ioApic(word), 'a.vbox').devices).toContainEqual({ name: 'ioapic', instance: 0 });
  });

  it.each(['false', 'no', '0'])('takes %s for false', (word) => {
    expect(readSettings(ioApic(word), 'a.vbox').devices).not.toContainEqual({ name: 'ioapic', instance: 0 });
  });

  it.each([
    ['a number behind a space', file('<Memory RAMSize=" 16"/>'), /" 16" is no number/],
    ['a switch behind a space', ioApic(' true'), /neither true nor false/],
    ['a switch before a space', ioApic('true '), /neither true nor false/],
    ['a switch', ioApic('TRUE'), /neither true nor false/],
    ['a chipset', file(MEMORY, '<Chipset type="piix3"/>'), /expected PIIX3 or ICH9/],
    ['a controller', file(`${MEMORY}<USB><Controllers><Controller type="ohci"/></Controllers></USB>`), /expected OHCI/],
    ['an element that is there twice', file(`${MEMORY}<Memory RAMSize="32"/>`), /several <Memory>/],
    ['an element with a prefix', file(`<x:Memory xmlns:x="urn:x" RAMSize="32"/>${MEMORY}`), /a prefix/],
  ])('refuses %s that VirtualBox reads otherwise, or not at all', (_what, text, message) => {
    expect(() => readSettings(text, 'a.vbox')).toThrow(message);
  });

  it.each([
    '<Description>size = " 5", on = \'true\'</Description>',
    '<Description><![CDATA[ <a:b c=" 1"> ]]></Description>',
    '<!-- <a:b c=" 1"/> -->',
    '<ExtraData><ExtraDataItem name="a" value=" 5"/></ExtraData>',
  ])('reads %s as what it is', (words) => {
    expect(readSettings(file(MEMORY).replace('<Hardware>', `${words}<Hardware>`), 'a.vbox').ramSize).toBe(16 * 2 ** 20);
  });

  it('reads names with references to characters', () => {
    const text = file(MEMORY).replace('Other_64', 'M&#97;cOS_64');
    expect(readSettings(text, 'a.vbox').devices).toContainEqual({ name: 'smc', instance: 0 });
  });
});
