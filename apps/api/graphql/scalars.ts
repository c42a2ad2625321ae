import { GraphQLError, GraphQLScalarType, Kind, valueFromASTUntyped, type ValueNode } from 'graphql';
import { z } from 'zod';

const instant = z.iso.datetime({ offset: true });

/** Any JSON value, where its shape is not ours to know. */
export const jsonScalar = new GraphQLScalarType<unknown, unknown>({
  name: 'JSON',
  description: 'Any JSON value: what a system says in its own terms.',
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral: (node: ValueNode, variables) => valueFromASTUntyped(node, variables),
});

/** A moment. The views hold moments as text already, so answering costs nothing. */
export const dateTimeScalar = new GraphQLScalarType<string, unknown>({
  name: 'DateTime',
  description: 'A moment as ISO 8601 with its offset, such as `2026-01-31T12:00:00Z`.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339',
  serialize: (value) => value,
  parseValue: momentOf,
  parseLiteral: (node) => momentOf(node.kind === Kind.STRING ? node.value : undefined),
});

function momentOf(value: unknown): string {
  const parsed = instant.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new GraphQLError('A moment is ISO 8601 with its offset, such as "2026-01-31T12:00:00Z".');
}
