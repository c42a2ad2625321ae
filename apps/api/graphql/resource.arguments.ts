import { z } from 'zod';
import type { ResourceListRequest } from '#libs/control/resource.control.js';
import { HEALTH_STATES } from '#libs/systems/contract/observation.js';
import { presentMembers } from '../http/present-members.js';
import { filterText } from '../http/query.schemas.js';
import { parseRequest } from '../http/request.parser.js';
import type { ConnectionArguments } from './connection.js';

const filter = z.object({
  kinds: z.array(filterText(200)).max(50).optional(),
  location: filterText(100).optional(),
  subscription: filterText(100).optional(),
  resourceGroup: filterText(100).optional(),
  cluster: filterText(2048).optional(),
  namespace: filterText(253).optional(),
  health: z.array(z.enum(HEALTH_STATES)).max(10).optional(),
  name: filterText(253).optional(),
  q: filterText(200).optional(),
  tags: z
    .array(z.object({ key: filterText(512), value: filterText(512) }))
    .max(20)
    .transform((tags) => Object.fromEntries(tags.map(({ key, value }) => [key, value])))
    .optional(),
  maxAge: z.int().min(0).max(31_536_000).optional(),
  asOf: z
    .string()
    .transform((value) => new Date(value))
    .optional(),
});

const listArguments = z.object({
  filter: z.preprocess(
    (value) => (typeof value === 'object' && value !== null ? presentMembers(value) : value),
    filter.optional(),
  ),
  name: filterText(253).optional(),
  sort: filterText(50).optional(),
  first: z.int().optional(),
  after: filterText(8192).optional(),
});

export interface ResourceListArguments {
  request: Omit<ResourceListRequest, 'kinds' | 'view' | 'limit' | 'cursor'> & { kinds?: string[] };
  connection: ConnectionArguments;
}

/** @throws ControlError INVALID_REQUEST naming every faulty argument. */
export function parseResourceArguments(given: Record<string, unknown>): ResourceListArguments {
  const parsed = parseRequest(listArguments, presentMembers(given), 'argument');
  const { maxAge, tags, ...filters } = parsed.filter ?? {};
  const { name = filters.name, sort, first, after } = parsed;
  return {
    request: presentMembers({ ...filters, name, sort, tags, maxAgeSeconds: maxAge }),
    connection: presentMembers({ first, after }),
  };
}
