import { z } from 'zod';
import { mutationField } from '#libs/kernel/kind-name.js';
import type { OperationDefinition } from '#libs/systems/contract/operation-definition.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';

/** The text of docs/operations.md. */
export function operationDocument(registry: SystemRegistry): string {
  const operations = registry.operations.toSorted((left, right) => (left.type < right.type ? -1 : 1));
  return [
    '# Operations',
    '',
    'Each is started with `POST /v1/operations {"type": …, "input": …}`, with `POST /v1/operations/{type}` (the body is the input), or with its',
    'GraphQL mutation. Wherever an input names a resource, its uid and its ARM id are both accepted.',
    '',
    'This page is generated from the operation definitions by `npm run docs:generate`.',
    '',
    ...operations.flatMap(section),
  ].join('\n');
}

function section(operation: OperationDefinition): string[] {
  return [
    `## ${operation.type}`,
    '',
    operation.description,
    '',
    `Mutation \`${mutationField(operation.type)}\`, permission \`${operation.permission}\`, given up after ${operation.timeoutSeconds} s.`,
    '',
    '| input | meaning | type |',
    '|---|---|---|',
    ...inputRows(operation),
    '',
    'Steps:',
    '',
    ...operation.steps.map((step, index) => `${index + 1}. \`${step.name}\`: ${step.description}`),
    '',
    'Findings of the checks before it starts:',
    '',
    ...Object.entries(operation.findings).map(([code, meaning]) => `- \`${code}\`: ${meaning}`),
    '',
  ];
}

interface PropertySchema {
  type?: string | string[];
  format?: string;
  description?: string;
  enum?: unknown[];
  anyOf?: PropertySchema[];
}

function inputRows(operation: OperationDefinition): string[] {
  const schema = z.toJSONSchema(operation.input, { io: 'input' });
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const shape = property as PropertySchema;
    const meaning = (shape.description ?? '').replaceAll('|', '\\|');
    return `| \`${name}\`${required.has(name) ? '' : ' (optional)'} | ${meaning} | ${typesOf(shape).join(' or ')} |`;
  });
}

/** The values that are allowed, or what they are. */
function typesOf({ type, format, enum: values, anyOf }: PropertySchema): string[] {
  if (values !== undefined) return values.map(String);
  if (anyOf !== undefined) return [...new Set(anyOf.flatMap(typesOf))];
  if (format !== undefined) return [format];
  return [type ?? 'any'].flat();
}
