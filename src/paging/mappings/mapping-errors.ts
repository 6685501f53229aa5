import { EnvironmentError, type SavkitError, UsageError } from '../../../formats/errors.ts';

/** VirtualBox's codes for mappings of the hypervisor, with savkit's. Source: VBox/err.h. */
const CODES = {
  VERR_INVALID_PARAMETER: 'invalid-parameter',
  VERR_WRONG_ORDER: 'wrong-order',
  VERR_NO_PAGE_MEMORY: 'no-memory',
  VERR_PGM_MAPPING_CONFLICT: 'mapping-conflict',
  VERR_PGM_MAPPINGS_FIXED: 'mappings-fixed',
  VERR_PGM_MAPPINGS_FIX_CONFLICT: 'mappings-fix-conflict',
  VERR_PGM_MAPPINGS_FIX_REJECTED: 'mappings-fix-rejected',
  VERR_PGM_MAPPINGS_FIX_TOO_SMALL: 'mappings-fix-too-small',
  VERR_PGM_NO_HYPERVISOR_ADDRESS: 'no-hypervisor-address',
  VERR_PGM_INTERMEDIATE_PAGE_CONFLICT: 'intermediate-page-conflict',
} as const;

export function mappingError(name: keyof typeof CODES, message: string): SavkitError {
  return name === 'VERR_NO_PAGE_MEMORY'
    ? new EnvironmentError(CODES[name], message, {}, name)
    : new UsageError(CODES[name], message, {}, name);
}
