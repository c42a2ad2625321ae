import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { configurationDocument } from '#libs/config/configuration.document.js';
import { offlineRegistry } from '../house/offline-registry.js';
import { adviceDocument } from './advice.document.js';
import { errorDocument } from './error.document.js';
import { operationDocument } from './operation.document.js';

/*
 * npm run docs:generate writes the pages of docs/ that follow from the code; with --check it only compares.
 */

const root = path.resolve(import.meta.dirname, '../../..');
const registry = offlineRegistry();
const pages = {
  'docs/advice.md': adviceDocument(registry),
  'docs/configuration.md': configurationDocument(),
  'docs/errors.md': errorDocument(),
  'docs/operations.md': operationDocument(registry),
};

const check = process.argv.includes('--check');
for (const [file, text] of Object.entries(pages)) {
  const target = path.join(root, file);
  if (!check) {
    await writeFile(target, text);
    continue;
  }
  const present = await readFile(target, 'utf8').catch(() => '');
  if (present === text) continue;
  console.error(`${file} is stale: run "npm run docs:generate".`);
  process.exitCode = 1;
}
