import { hex, type OnDamage } from '../errors.ts';
import type { DescribedDevice } from './description.ts';
import { isEarly } from './parted-bodies.ts';
import { QemuFormatError, unknownSection } from './qemu-error.ts';
import type { SectionHead } from './section-bytes.ts';

/** Devices of a stream's description: their sections have to come in the same order. */
export class ExpectedDevices {
  readonly #all: readonly DescribedDevice[];
  /** Devices that have not been met yet. */
  #expected: DescribedDevice[];
  readonly #onDamage: OnDamage;

  constructor(all: readonly DescribedDevice[], onDamage: OnDamage) {
    this.#all = all;
    this.#expected = all.filter(({ name }) => !isEarly(name));
    this.#onDamage = onDamage;
  }

  /**
   * The entry of a section. The entry of a missing section is skipped; a section with a damaged name belongs to the
   * next entry, if it fits.
   * @param fits whether the section can be that of an entry, by its size
   */
  entryOf(
    { name, instance }: SectionHead,
    offset: number,
    fits: (device: DescribedDevice) => boolean,
  ): DescribedDevice | undefined {
    const is = (device: DescribedDevice) => device.name === name && device.instance === instance;
    const index = this.#expected.findIndex(is);
    if (index >= 0) {
      for (const missing of this.#expected.splice(0, index)) this.#onDamage(missingSection(missing));
      return this.#expected.shift();
    }
    const place = { offset, unit: name, instance };
    const again = this.#all.find(is);
    const what = `Section ${JSON.stringify(name)} ${instance} at ${hex(offset)}`;
    if (again) {
      this.#onDamage(
        new QemuFormatError('twice', `${what} is there a second time: QEMU loads both, the last one counts`, place),
      );
      return again;
    }
    const next = this.#expected[0];
    const wanted = next ? `${JSON.stringify(next.name)} ${next.instance}` : 'nothing more';
    this.#onDamage(
      isOtherInDescription(next, name)
        ? new QemuFormatError(
            'bad-description',
            `The description has another name for section ${JSON.stringify(name)} ${instance}: ` +
              `${wanted}; QEMU does not look at it`,
            place,
          )
        : new QemuFormatError(
            'bad-section',
            `${what} is not the section that the description has there: ${wanted}`,
            place,
            unknownSection(name, instance),
          ),
    );
    return next && fits(next) ? this.#expected.shift() : undefined;
  }

  /** Reports the devices that have not been met when the sections end. */
  end(): void {
    for (const device of this.#expected) this.#onDamage(missingSection(device));
    this.#expected = [];
  }
}

function missingSection({ name, instance }: DescribedDevice): QemuFormatError {
  const message =
    `Section ${JSON.stringify(name)} ${instance} is missing, which the description lists: QEMU loads the rest ` +
    'without a word, and the device stays as after a reset';
  return new QemuFormatError('missing-section', message, { unit: name, instance });
}

/**
 * Whether, of two names of a device that differ, the one in the description is wrong. The one in the section's head is
 * right if it equals the kind of the device, or ends with it.
 */
function isOtherInDescription(device: DescribedDevice | undefined, name: string): boolean {
  const isOfKind = (text: string) => text === device?.kind || text.endsWith(`/${device?.kind}`);
  return device?.kind !== undefined && isOfKind(name) && !isOfKind(device.name);
}
