import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Json, JsonObject } from '#libs/kernel/json.js';

/** Exchanges with a real Kubernetes API server; they lie beside the repository and are not part of it. */
const RECORDINGS = path.resolve(import.meta.dirname, '../../../../../shared/recordings');

export const RECORDINGS_ARE_HERE = existsSync(RECORDINGS);
export const WHY_SKIPPED = `SKIPPED: the recordings are not in ${path.relative(process.cwd(), RECORDINGS)}, so nothing can be compared with them`;

export interface RecordedExchange {
  request: { method: string; path: string; body: Json };
  response: { status: number; body: JsonObject };
}

/** @param name `kubernetes-1.32/12`: the folder and the number of the exchange. */
export function recording(name: string): RecordedExchange {
  const [folder = '', number = ''] = name.split('/');
  const file = readdirSync(path.join(RECORDINGS, folder)).find((one) => one.startsWith(`${number}-`));
  if (file === undefined) throw new Error(`There is no recording ${name}`);
  return JSON.parse(readFileSync(path.join(RECORDINGS, folder, file), 'utf8')) as RecordedExchange;
}
