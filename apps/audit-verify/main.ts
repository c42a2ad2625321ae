import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { AuditCheckpoint } from '#libs/audit/audit.checkpoint.js';
import { AUDIT_OUTCOMES, type AuditEvent } from '#libs/audit/audit.event.js';
import { verifyAudit } from '#libs/audit/audit.verifier.js';
import type { JsonObject } from '#libs/kernel/json.js';

/*
 * npm run audit:verify -- <events.json> [<checkpoints.json>] [--key <public key>]
 *
 * Checks an export of the audit log without Pilothouse and its database. A file is what GET /v1/audit-events (or
 * /v1/audit-checkpoints) answered, or a JSON array of the items of several pages. Ends with 0 when nothing is wrong,
 * 1 when the log was tampered with, 2 when the files cannot be read.
 */

const eventSchema = z.object({
  sequence: z.int(),
  at: z.string(),
  action: z.string(),
  outcome: z.enum(AUDIT_OUTCOMES),
  principalId: z.string(),
  principalName: z.string(),
  operationId: z.string().nullable(),
  operationType: z.string().nullable(),
  target: z.object({ uid: z.string(), id: z.string(), kind: z.string() }).nullable(),
  correlationId: z.string(),
  details: z.custom<JsonObject>((value) => typeof value === 'object' && value !== null),
  previousHash: z.string(),
  hash: z.string(),
});

const checkpointSchema = z.object({
  sequence: z.int(),
  at: z.string(),
  hash: z.string(),
  signature: z.string(),
  publicKey: z.string(),
});

async function readItems<Schema extends z.ZodType>(file: string, schema: Schema): Promise<z.output<Schema>[]> {
  const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
  const pages = z.union([z.array(z.unknown()), z.object({ items: z.array(z.unknown()) })]).parse(parsed);
  return z.array(schema).parse(Array.isArray(pages) ? pages : pages.items);
}

async function main(words: readonly string[]): Promise<number> {
  const keyAt = words.indexOf('--key');
  const key = keyAt < 0 ? undefined : words[keyAt + 1];
  const files = words.filter((_word, index) => keyAt < 0 || (index !== keyAt && index !== keyAt + 1));
  const [eventFile, checkpointFile] = files;
  if (eventFile === undefined || files.length > 2 || (keyAt >= 0 && key === undefined)) {
    console.error('usage: npm run audit:verify -- <events.json> [<checkpoints.json>] [--key <public key>]');
    return 2;
  }
  const events: AuditEvent[] = await readItems(eventFile, eventSchema);
  const checkpoints: AuditCheckpoint[] =
    checkpointFile === undefined ? [] : await readItems(checkpointFile, checkpointSchema);
  const report = verifyAudit(events, checkpoints, key);
  for (const { sequence, fault, message } of report.faults) console.error(`${sequence}: ${fault}: ${message}`);
  const covered = report.coveredTo === null ? 'none is covered by a checkpoint' : `signed up to ${report.coveredTo}`;
  console.log(`${report.events} events, ${report.checkpoints} checkpoints, ${covered}, ${report.faults.length} faults`);
  return report.faults.length === 0 ? 0 : 1;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(Error.isError(error) ? error.message : error);
    process.exitCode = 2;
  },
);
