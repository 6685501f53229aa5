import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../../testing/states.ts';
import { readSettings } from './settings.ts';

/** Settings as older releases wrote them, and as 7.2.22 wrote them again. */
const settings: Record<string, { old: string; today: string }> = JSON.parse(
  readFileSync(join(STATES_FOLDER, '../machines/old-settings.json'), 'utf8'),
);

/** Without order. */
function factsOf(text: string) {
  const { devices = [], release, ...facts } = readSettings(text, 'x');
  return { ...facts, devices: new Set(devices.map(({ name, instance }) => `${name}/${instance}`)) };
}

describe('readSettings() of older releases', () => {
  it.each(Object.keys(settings))('makes of version %s what 7.2.22 makes of it', (version) => {
    const { old, today } = settings[version];
    expect(today).toContain('version="1.19-linux"');
    expect(factsOf(old)).toEqual(factsOf(today));
  });

  it('finds disks and drives where releases before 3.0 wrote them', () => {
    const { configs, devices } = readSettings(settings['1.3'].old, 'x');
    expect(configs?.get('piix3ide/0')).toMatchObject({ 'primary slave': 'attached', 'secondary master': 'attached' });
    expect(devices).toContainEqual({ name: 'i82078', instance: 0 });
    const sata = readSettings(settings['1.3 with SATA'].old, 'x');
    expect(sata.configs?.get('ahci/0')).toMatchObject({ 'number of ports': 4 });
    expect(sata.configs?.get('piix3ide/0')).toMatchObject({ 'secondary master': 'attached' });
    expect(sata.devices).not.toContainEqual({ name: 'i82078', instance: 0 });
  });

  it('takes the models and ports that these releases meant where they wrote none', () => {
    const { configs, paravirtualisation } = readSettings(settings['1.15'].old, 'x');
    expect(configs?.get('pcnet/0')).toEqual({ model: 'Am79C970A' });
    expect(configs?.get('ahci/0')).toMatchObject({ 'number of ports': 2 });
    expect(paravirtualisation).toBe('none');
    expect(readSettings(settings['1.12'].old, 'x')).toMatchObject({ has3d: false });
  });
});
