#!/usr/bin/env node
// This file lies in dist/bin under the name of each entry, and loads the entry: from compiled code where this very Node
// has compiled it (scripts/code-cache.js), else as usual. An older Node has to understand this file: see cli/main.ts.

// biome-ignore lint/style/useNodejsImportProtocol: older Nodes do not know it
const { existsSync } = require('fs');
// biome-ignore lint/style/useNodejsImportProtocol: older Nodes do not know it
const { basename, join } = require('path');

const entry = `./${basename(__filename, '.js')}.entry.js`;
const cache = join(__dirname, 'code-cache', `${process.version}-${process.arch}`);
if (existsSync(cache)) require('./cached-loader.cjs').loadCached(entry, cache);
else require(entry);
