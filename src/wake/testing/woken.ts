import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { bufferSource } from '../../../formats/files/source.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { GuestImage } from '../guest-image.ts';
import { prepareWake } from '../prepare.ts';
import { putState } from '../put-state.ts';
import { Template } from '../template/template.ts';
import { NO_OPTIONS } from '../wake-options.ts';
import { writeWoken } from '../write-woken.ts';

/** Machines with all devices that can take over state. */
export const RICH_MACHINES = ['devices-7.2', 'devices-10.0'] as const;

/** Streams of a PC of 4 MiB without graphics, which the real QEMU 7.2.22 and 10.0.2 wrote after a reset. */
const TEMPLATES = fileURLToPath(new URL('../../../test-vectors/wake/', import.meta.url));
export const MACHINES = ['pc-i440fx-7.2', 'pc-i440fx-10.0'] as const;
export const ICH9_MACHINES = ['pc-q35-7.2', 'pc-q35-10.0'] as const;
/** A state of a machine with ICH9. */
export const ICH9_STATE = 'own-ich9';

export function templateBytes(machine: string): Buffer {
  return gunzipSync(readFileSync(join(TEMPLATES, `${machine}.qemu.gz`)));
}

export function template(machine: string): Promise<Template> {
  return Template.read(bufferSource(templateBytes(machine), machine));
}

/** Folder of a state, and of its truth. */
export function folderOf(name: string): string {
  return name === ICH9_STATE ? TEMPLATES : STATES_FOLDER;
}

/** Takes some devices out of a template. */
function leaveOut(target: Template, devices: RegExp): void {
  const isOther = ({ name }: { name: string }) => !devices.test(name);
  const described = JSON.parse(Buffer.from(target.description).toString()) as { devices: { name: string }[] };
  const description = Buffer.from(JSON.stringify({ ...described, devices: described.devices.filter(isOther) }));
  Object.assign(target, { description, sections: target.sections.filter(isOther) });
}

/** Puts a state of test-vectors into the form of a QEMU. @param without names of devices that the QEMU lacks */
export async function woken(name: string, machine: string, without?: RegExp) {
  const source = bufferSource(readFileSync(join(folderOf(name), `${name}.sav`)), name);
  const prepared = await prepareWake(source, NO_OPTIONS, new Map());
  const target = await template(machine);
  if (without) leaveOut(target, without);
  putState(prepared.units, target, NO_OPTIONS);
  const image = await GuestImage.open(source, prepared.units.collected.state);
  const pieces: Buffer[] = [];
  const sink = { write: async (bytes: Uint8Array) => void pieces.push(Buffer.from(bytes)) };
  await writeWoken({ sink, template: target, image, vga: undefined });
  image.close();
  return { prepared, stream: bufferSource(Buffer.concat(pieces), name) };
}
