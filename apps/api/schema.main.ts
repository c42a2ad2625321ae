import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { printSchema } from 'graphql';
import { offlineRegistry } from '../house/offline-registry.js';
import { buildGraphqlSchema } from './graphql/graphql-schema.builder.js';
import { buildOpenapi } from './openapi/openapi.builder.js';
import { API_VERSION } from './openapi/openapi.document.js';

/*
 * Writes the public contract, schema/openapi.json and schema/schema.graphql, from the systems' definitions; with --check
 * only compares it with what is there, and fails where it differs. Needs neither a database nor a network.
 */

const FOLDER = path.resolve(import.meta.dirname, '../../../schema');

async function main(check: boolean): Promise<void> {
  const registry = offlineRegistry();
  const openapi = buildOpenapi(registry, { version: API_VERSION, serverUrl: '/' });
  const contract = {
    'openapi.json': `${JSON.stringify(openapi, undefined, 2)}\n`,
    'schema.graphql': `${printSchema(buildGraphqlSchema(registry))}\n`,
  };
  await mkdir(FOLDER, { recursive: true });
  for (const [name, text] of Object.entries(contract)) {
    const file = path.join(FOLDER, name);
    if (!check) {
      await writeFile(file, text);
    } else if ((await present(file)) !== text) {
      console.error(`schema/${name} is not what the definitions say: run "npm run schema:generate" and commit it.`);
      process.exitCode = 1;
    }
  }
  if (process.exitCode === undefined) console.log(check ? 'schema/ is up to date.' : 'schema/ was written.');
}

async function present(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (Error.isError(error) && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

await main(process.argv.includes('--check'));
