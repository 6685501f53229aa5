import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

// npm run test:virtualbox [-- check | pairs | random-pairs | salvage | convert | live-save | teleporter [MIB…]]: all
// campaigns against the real VirtualBox, or one of them.

const CAMPAIGNS = {
  check: '../../src/saved-state/check/virtualbox.campaign.js',
  pairs: '../../src/saved-state/check/pairs.campaign.js',
  'random-pairs': '../../src/saved-state/check/random-pairs.campaign.js',
  salvage: '../../src/saved-state/salvage/virtualbox.campaign.js',
  convert: '../../src/saved-state/convert/virtualbox.campaign.js',
  'live-save': '../../src/live-save/virtualbox.campaign.js',
  teleporter: '../../migrations/teleporter/virtualbox.campaign.js',
  'teleport-running': '../../migrations/teleporter/teleport-running.campaign.js',
} as const;
type Name = keyof typeof CAMPAIGNS;

const [asked, ...rest] = process.argv.slice(2);
if (asked !== undefined && !Object.hasOwn(CAMPAIGNS, asked)) {
  console.error(`No campaign ${asked}: there are ${Object.keys(CAMPAIGNS).join(', ')}`);
  process.exit(2);
}
const names = asked === undefined ? (Object.keys(CAMPAIGNS) as Name[]) : [asked as Name];
for (const name of names) {
  console.log(`— ${name}`);
  const { status } = spawnSync(process.execPath, [fileURLToPath(new URL(CAMPAIGNS[name], import.meta.url)), ...rest], {
    stdio: 'inherit',
  });
  process.exitCode = Math.max(Number(process.exitCode ?? 0), status ?? 1);
  // Not set up: so it is for the others.
  if (status === 2) break;
}
