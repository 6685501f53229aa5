import { Writer } from '../../../formats/binary/writer.ts';
import { FormatError, UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import {
  readScreenshot,
  SCREENSHOT_LIMIT,
  SCREENSHOT_MAJOR,
  SCREENSHOT_UNIT,
  type Screenshot,
} from '../../../formats/units/display/display-screenshot.ts';
import { type WalkOptions, walkState } from '../reading/walk.ts';

/**
 * The picture of the screen that VirtualBox puts into a state when it saves it.
 * @throws UnsupportedError `no-screenshot` where there is none; FormatError where it is no picture, and all errors of
 * `walkState`
 */
export async function screenshotOf(
  source: ByteSource,
  options: Pick<WalkOptions, 'onProgress' | 'signal'> = {},
): Promise<Screenshot> {
  const copy = new Writer();
  let isTaken = false;
  await walkState(source, {
    ...options,
    payload: {
      wants: ({ name, instance, version }) => {
        const isWanted =
          name === SCREENSHOT_UNIT.name && instance === SCREENSHOT_UNIT.instance && version >>> 16 === SCREENSHOT_MAJOR;
        isTaken ||= isWanted;
        return isWanted;
      },
      take: (piece) => {
        if (copy.length + piece.length > SCREENSHOT_LIMIT)
          throw new FormatError(
            'too-long',
            `Cannot read unit DisplayScreenshot: it has more than ${SCREENSHOT_LIMIT} bytes`,
          );
        copy.bytes(piece);
      },
    },
  });
  const screenshot = isTaken ? readScreenshot(copy.view()) : undefined;
  if (!screenshot)
    throw new UnsupportedError(
      'no-screenshot',
      'The state holds no picture of the screen: VirtualBox writes one only where the machine has graphics',
    );
  return screenshot;
}
