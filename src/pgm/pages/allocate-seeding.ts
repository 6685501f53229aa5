import type { HostAccount } from '../../gmm/host-account.ts';
import { HostMemoryError } from '../../gmm/host-memory-error.ts';
import type { AccountName } from '../../gmm/host-reservation.ts';

/**
 * Fills `into` with IDs of private pages of zeros. Gives the host a chunk if it cannot allocate chunks itself and asks
 * for one (VERR_GMM_SEED_ME).
 * @throws HostMemoryError as `HostAccount.allocatePages`, except `seed-me`
 */
export function allocateSeeding(account: HostAccount, name: AccountName, into: Uint32Array): void {
  for (;;) {
    try {
      account.allocatePages(name, into);
      return;
    } catch (error) {
      if (!(error instanceof HostMemoryError && error.code === 'seed-me')) throw error;
    }
    account.seedChunk();
  }
}
