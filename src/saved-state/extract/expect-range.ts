import { UsageError } from '../../../formats/errors.ts';
import type { MemoryRange } from '../../../formats/image/extents.ts';

/** Checks addresses that somebody has chosen. @throws UsageError `bad-range` for those that are no range */
export function expectRange({ start, end }: MemoryRange): void {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end <= start)
    throw new UsageError(
      'bad-range',
      `Cannot use range from ${String(start)} to ${String(end)}: expected whole numbers from 0 on, the end above the ` +
        'start',
    );
}
