#!/usr/bin/env node

// Tells people with an older Node which version savkit needs. This file thus uses nothing newer than Node 12, and loads
// all other files after the check.

/** `engines` of package.json; a test compares both. */
const OLDEST = [20, 19];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) void import('./start.ts');
else {
  console.error(`savkit needs Node.js ${OLDEST.join('.')} or newer; this is ${process.version}`);
  process.exitCode = 4;
}
