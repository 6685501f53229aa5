import { UsageError } from '../../formats/errors.ts';
import { HOST_MODES, type HostMode, type PagingMode, pagingTypeOf, type ShadowMode } from './modes.ts';

/** The code that carries a processor from the host's tables to the guest's and back (VMMSWITCHER). */
export type WorldSwitcher =
  | '32_TO_32'
  | '32_TO_PAE'
  | '32_TO_AMD64'
  | 'PAE_TO_32'
  | 'PAE_TO_PAE'
  | 'PAE_TO_AMD64'
  | 'AMD64_TO_32'
  | 'AMD64_TO_PAE'
  | 'AMD64_TO_AMD64';

type GuestRow = 'real' | 'protected' | '32-bit' | 'pae' | 'amd64';
type HostColumn = '32-bit' | 'PAE' | 'AMD64';
type Choice = readonly [ShadowMode, WorldSwitcher];

/** Guest mode × host mode (paging.md 1.2; `pgmR3CalcShadowMode`). */
const PLAIN: Record<HostColumn, Choice> = {
  '32-bit': ['32-bit', '32_TO_32'],
  PAE: ['pae', 'PAE_TO_PAE'],
  AMD64: ['pae', 'AMD64_TO_PAE'],
};
const SHADOW_MODES: Record<GuestRow, Record<HostColumn, Choice>> = {
  real: PLAIN,
  protected: PLAIN,
  '32-bit': PLAIN,
  pae: { '32-bit': ['pae', '32_TO_PAE'], PAE: ['pae', 'PAE_TO_PAE'], AMD64: ['pae', 'AMD64_TO_PAE'] },
  amd64: { '32-bit': ['amd64', '32_TO_AMD64'], PAE: ['amd64', 'PAE_TO_AMD64'], AMD64: ['amd64', 'AMD64_TO_AMD64'] },
};

/** Paging features of the host. */
export interface HostPaging {
  /** Paging mode of the host. */
  host: HostMode;
  /** Hardware virtualisation is used for this machine. */
  hardware: boolean;
  /** The hardware walks tables of guest-physical memory itself: AMD-V's nested paging or VT-x's EPT. */
  nestedPaging?: 'nested' | 'ept' | undefined;
}

/** @throws UsageError VERR_PGM_UNSUPPORTED_HOST_PAGING_MODE */
export function checkHost({ host }: HostPaging): void {
  if (HOST_MODES.includes(host)) return;
  const name = String(host).slice(0, 40);
  throw new UsageError(
    'unsupported-host',
    `Cannot shadow pages on a host in mode ${JSON.stringify(name)}: expected one of ${HOST_MODES.join(', ')}, ` +
      'alone or with ,raw ,nested or ,ept',
    {},
    'VERR_PGM_UNSUPPORTED_HOST_PAGING_MODE',
  );
}

/**
 * A host as people write it: its paging mode, then `,raw`, `,nested` or `,ept`; else hardware virtualisation with
 * shadow tables. @throws UsageError VERR_PGM_UNSUPPORTED_HOST_PAGING_MODE
 */
export function parseHostPaging(text: string): HostPaging {
  const [name, kind, ...more] = text.split(',');
  const host = HOST_MODES.find((mode) => mode.toLowerCase() === name.toLowerCase()) ?? (text as HostMode);
  const nested: Pick<HostPaging, 'nestedPaging'> = kind === 'nested' || kind === 'ept' ? { nestedPaging: kind } : {};
  const isKnown = more.length === 0 && (kind === undefined || kind === 'raw' || 'nestedPaging' in nested);
  const paging: HostPaging = { host: isKnown ? host : (text as HostMode), hardware: kind !== 'raw', ...nested };
  checkHost(paging);
  return paging;
}

/** Text of a host, in the words that `parseHostPaging` takes. */
export function hostPagingText({ host, hardware, nestedPaging }: HostPaging): string {
  return `${host}${nestedPaging ? `,${nestedPaging}` : hardware ? '' : ',raw'}`;
}

/** Modes in which a guest is shadowed. */
export interface ShadowChoice {
  /** Mode of the shadow tables. */
  shadow: ShadowMode;
  /** Undefined if the present switcher stays. */
  switcher: WorldSwitcher | undefined;
}

/**
 * Choice of the shadow mode for a guest in mode `guest`.
 * @param current the shadow mode so far; undefined at the start
 */
export function shadowModeFor(
  guest: PagingMode,
  { host, hardware, nestedPaging }: HostPaging,
  current?: ShadowMode,
): ShadowChoice {
  const choice = SHADOW_MODES[pagingTypeOf(guest) as GuestRow][host.split('+')[0] as HostColumn];
  // Without hardware virtualisation a guest without paging keeps its shadow tables, as it will soon switch back.
  const stays = (guest === 'real' || guest === 'protected') && current !== undefined && !hardware;
  const [shadow, switcher] = stays ? [current, undefined] : choice;
  return { shadow: nestedPaging ?? shadow, switcher };
}
