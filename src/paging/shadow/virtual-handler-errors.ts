import { UsageError } from '../../../formats/errors.ts';

const CODES = {
  VERR_INVALID_PARAMETER: 'invalid-parameter',
  VERR_NOT_IMPLEMENTED: 'not-implemented',
  VERR_PGM_HANDLER_VIRTUAL_CONFLICT: 'handler-conflict',
} as const;

/** The error for a request about virtual handlers, with VirtualBox's code and savkit's. Source: VBox/err.h. */
export function virtualHandlerError(name: keyof typeof CODES, message: string): UsageError {
  return new UsageError(CODES[name], message, {}, name);
}
