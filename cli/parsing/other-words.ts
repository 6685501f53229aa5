import { nearest } from './nearest.ts';

/** Words of other tools for the work of a command. */
const OTHER_WORDS: Readonly<Record<string, readonly string[]>> = {
  inspect: ['info', 'show', 'list', 'ls', 'describe', 'view', 'print', 'open', 'file', 'identify', 'summary'],
  verify: ['test', 'validate', 'fsck', 'hash', 'checksum', 'crc', 'audit'],
  extract: ['dump', 'export', 'cat', 'core', 'memory', 'unpack', 'memdump', 'carve'],
  convert: ['upgrade', 'downgrade', 'flatten', 'transform', 'compress', 'migrate-format', 'import'],
  salvage: ['fix', 'repair', 'recover', 'rescue', 'restore', 'heal'],
  manifest: ['hash', 'checksum', 'sha256', 'sha256sum', 'digest', 'sign', 'fingerprint'],
  diff: ['compare', 'cmp', 'changes'],
  check: ['compat', 'compatible', 'fits', 'loadable'],
  explain: ['error', 'why', 'log', 'code', 'errors'],
  receive: ['listen', 'accept', 'incoming', 'serve', 'target'],
  send: ['teleport', 'push', 'upload'],
  relay: ['proxy', 'tunnel', 'record', 'tap', 'forward'],
  find: ['search', 'grep', 'strings', 'scan', 'locate'],
  peek: ['dump', 'hexdump', 'hex', 'xxd', 'read', 'examine'],
  poke: ['write', 'patch', 'edit', 'set'],
  stats: ['statistics', 'count', 'usage'],
  walk: ['translate', 'resolve', 'virt', 'v2p', 'virt2phys'],
  pagetable: ['pagetables', 'page-table', 'page-tables', 'tables', 'maps', 'pt'],
  console: ['debug', 'shell', 'repl', 'registers', 'regs'],
  migrate: ['move', 'live-migrate', 'migration', 'transfer'],
  run: ['start', 'load', 'boot', 'resume', 'restore', 'launch', 'exec'],
  'live-save': ['save', 'snapshot', 'savestate', 'suspend', 'checkpoint', 'backup'],
  control: ['pause', 'resume', 'stop', 'status', 'kill', 'throttle', 'ps'],
};

/** Commands with names similar to an unknown word. */
export function commandsMeant(word: string, commands: readonly string[]): string[] {
  const plain = word.toLowerCase();
  if (commands.includes(plain)) return [plain];
  const meant = commands.filter((command) => OTHER_WORDS[command]?.includes(plain));
  if (meant.length > 0) return meant;
  const near = nearest(plain, commands);
  return near === undefined ? [] : [near];
}
