import type { Advisor } from '#libs/systems/contract/advice.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';

/** The text of docs/advice.md. */
export function adviceDocument(registry: SystemRegistry): string {
  const kinds = [...new Set(registry.advisors.map(({ kind }) => kind))].toSorted();
  return [
    '# Advice',
    '',
    'Known troubles of an object, each with its `cause` in a sentence, the `evidence` that it rests on, and `remedies`: ways out, the best first,',
    'with the operations that take them, ready to be sent as they are. `GET /v1/{kind}/{uid}/advice`, or the field `advice` of the GraphQL type; an',
    'object that is well has none. New codes are added, and none changes its meaning.',
    '',
    'This page is generated from the advisors by `npm run docs:generate`.',
    '',
    ...kinds.flatMap((kind) => section(kind, registry.advisorsOf(kind))),
  ].join('\n');
}

function section(kind: string, advisors: readonly Advisor[]): string[] {
  const codes = advisors.flatMap(({ codes: known }) => Object.entries(known)).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [
    `## ${kind}`,
    '',
    '| code | what it says |',
    '|---|---|',
    ...codes.map(([code, meaning]) => `| \`${code}\` | ${meaning} |`),
    '',
  ];
}
