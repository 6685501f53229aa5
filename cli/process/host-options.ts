import type { Argv } from 'yargs';
import { UsageError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { parseNumber } from '../../formats/values/number-text.ts';
import type { DefragmentReport } from '../../src/gmm/defragment.ts';
import { HostMemory } from '../../src/gmm/host-memory.ts';
import { loadState } from '../../src/machine/load.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { type HostPaging, parseHostPaging } from '../../src/paging/shadow-mode.ts';
import type { GuestMemory } from '../../src/pgm/guest-memory.ts';
import { HostBacking } from '../../src/pgm/pages/host-backing.ts';
import { PageSharing } from '../../src/pgm/sharing/page-sharing.ts';
import { withInput } from '../io/input.ts';
import type { OptionsOf } from '../parsing/options-of.ts';

/** An option of commands that run a machine, or look at one as if it ran. */
export const SHADOW = {
  type: 'string',
  requiresArg: true,
  describe:
    'Run its CPUs on shadow page tables, as on a host of this paging mode: 32-bit, PAE or AMD64, then +G if it has ' +
    'global pages, +NX if it has no-execute pages (not with 32-bit), such as PAE+G+NX; then ,raw for a host without ' +
    'hardware virtualisation, ,nested or ,ept for nested page tables of AMD or Intel',
} as const;

export function withHostOptions<T>(argv: Argv<T>) {
  return argv
    .option('shadow', SHADOW)
    .option('host-limit', {
      type: 'string',
      requiresArg: true,
      describe: 'Memory that the host has for its machines; when it is used up the machine waits, suspended',
    })
    .option('share-with', {
      type: 'string',
      requiresArg: true,
      describe: 'Saved state of another machine on the host: pages with equal bytes are kept once',
    })
    .option('large-pages', { type: 'boolean', default: false, describe: 'Use pages of 2 MiB where the host has them' })
    .option('preallocate', {
      type: 'boolean',
      default: false,
      describe: 'Allocate all RAM at the start, and keep it through resets',
    });
}

/** The host that a machine runs on. */
export type HostOptions = OptionsOf<typeof withHostOptions>;

/** The host of this process's machine: memory limit, sharing, large pages. */
export class OwnHost {
  readonly backing: HostBacking;
  /** Looks for equal pages; undefined without `--share-with`. */
  readonly sharing: PageSharing | undefined;
  readonly #options: HostOptions;
  readonly #paging: HostPaging | undefined;
  readonly #neighbours: GuestMemory[] = [];

  constructor(options: HostOptions) {
    this.#options = options;
    this.#paging = options.shadow === undefined ? undefined : parseHostPaging(options.shadow);
    if (options.largePages && this.#paging && !this.#paging.nestedPaging)
      throw new UsageError('bad-combination', 'Cannot take large pages: they go with nested paging, --shadow …,ept');
    const { hostLimit } = options;
    const maxPages = hostLimit === undefined ? undefined : pagesOf(hostLimit);
    const host = new HostMemory(maxPages === undefined ? {} : { maxPages });
    // With a limit, machines may reserve more than the host has, so that running ones reach the limit.
    this.backing = new HostBacking(host, maxPages === undefined ? {} : { policy: 'to-be-decided' });
    this.sharing = options.shareWith === undefined ? undefined : new PageSharing(host);
  }

  /** Applies the options to a machine that was made with `backing`. */
  async take(machine: Machine): Promise<void> {
    const { largePages, preallocate, shareWith } = this.#options;
    machine.memory.largePages.isEnabled = largePages;
    if (this.#paging) machine.usePaging(this.#paging);
    machine.finalise(preallocate);
    if (!this.sharing || shareWith === undefined) return;
    this.sharing.add(machine.memory, true);
    const backing = new HostBacking(this.backing.host, { policy: 'to-be-decided' });
    const other = await withInput(shareWith, (source) => loadState(source, { backing }), { mayBeReplaced: true });
    this.#neighbours.push(other.memory);
    this.sharing.add(other.memory);
  }

  /**
   * Ends the other machines of the host, and defragments its memory: pages move, and empty chunks of 2 MiB go back to
   * the system. The machine stays.
   */
  close(): DefragmentReport {
    for (const memory of this.#neighbours) memory.close();
    return this.backing.host.defragment();
  }
}

/** @throws UsageError for less than a page */
function pagesOf(limit: string): number {
  const pages = Math.floor(parseNumber(limit) / PAGE_SIZE);
  if (pages > 0) return pages;
  throw new UsageError(
    'usage',
    `Cannot limit the host's memory to ${limit}: expected at least a page, ${PAGE_SIZE} bytes`,
  );
}
