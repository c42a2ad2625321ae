import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type JsonObject } from '#libs/kernel/json.js';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/** The official ARM types as JSON Schema; they lie beside the repository and are not part of it. */
const SCHEMAS = path.resolve(import.meta.dirname, '../../../shared/arm-schemas');

export const SCHEMAS_ARE_HERE = existsSync(SCHEMAS);
export const WHY_SKIPPED = `SKIPPED: the ARM schemas are not in ${path.relative(process.cwd(), SCHEMAS)}, so nothing can be checked against them`;

const cache = new Map<string, ValidateFunction>();

/** What is wrong with a body; empty when it is as Azure would answer. The case of `type` is not looked at: it varies. */
export function schemaFaults(
  type: string,
  version: string,
  direction: 'request' | 'response',
  body: JsonObject,
): string[] {
  const validate = validatorOf(type, version, direction);
  const sameType = typeof body.type === 'string' && body.type.toLowerCase() === type.toLowerCase();
  const normal = sameType ? { ...body, type } : body;
  if (validate(normal)) return [];
  return (validate.errors ?? []).map(
    (error) => `${error.instancePath} ${error.message ?? ''} ${JSON.stringify(error.params)}`,
  );
}

function validatorOf(type: string, version: string, direction: 'request' | 'response'): ValidateFunction {
  const key = `${type}@${version}#${direction}`;
  let validate = cache.get(key);
  if (validate === undefined) {
    const file = path.join(SCHEMAS, `${type.replaceAll('/', '.')}@${version}.json`);
    const schemas = JSON.parse(readFileSync(file, 'utf8')) as Record<'request' | 'response', JsonObject>;
    validate = new Ajv2020({ strict: false, allErrors: true, validateFormats: false }).compile(schemas[direction]);
    cache.set(key, validate);
  }
  return validate;
}
