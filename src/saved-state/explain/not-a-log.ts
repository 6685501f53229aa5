import { UnsupportedError } from '../../../formats/errors.ts';
import { fileKindOf } from '../../../formats/ssm/file-kinds.ts';
import { startsWith } from '../../../formats/ssm/header-rules.ts';
import { MAGIC_BASE } from '../../../formats/ssm/layouts.ts';

/**
 * Error for a file without anything to explain, if it is no text.
 * @param start first bytes of the file
 * @param text these bytes, decoded
 */
export function notALog(start: Uint8Array, text: string): UnsupportedError | undefined {
  const kind = fileKindOf(start);
  const isVirtualBoxs = startsWith(start, 0, MAGIC_BASE);
  if (isText(text) && !isVirtualBoxs && !kind?.isQemus) return undefined;
  const whole = 'savkit verify FILE says whether it is whole';
  if (isVirtualBoxs) return refusal(`it is a saved state of VirtualBox; ${whole}`);
  if (kind?.isQemus) return refusal(`it is ${kind.name}; ${whole}`);
  return refusal(kind?.isCertain ? `it is ${kind.name}, and no log` : 'it is no text, and so no log');
}

function refusal(why: string): UnsupportedError {
  return new UnsupportedError('not-a-log', `Cannot explain file: ${why}`);
}

/** Whether a text holds no control characters except white space and the escapes of a terminal's colours. */
function isText(text: string): boolean {
  const isControl = (code: number) => code < 0x20 && !(code >= 0x09 && code <= 0x0d) && code !== 0x1b;
  return ![...text].some((character) => isControl(character.charCodeAt(0)));
}
