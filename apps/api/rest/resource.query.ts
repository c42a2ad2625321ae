import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import type { ResourceListRequest } from '#libs/control/resource.control.js';
import { presentMembers } from '../http/present-members.js';
import { parseRequest } from '../http/request.parser.js';
import {
  filterList,
  filterText,
  healthStates,
  instant,
  maximumAge,
  pageCursor,
  pageLimit,
} from '../http/query.schemas.js';

const MAXIMUM_TAGS = 20;
const TAG_PREFIX = 'tag.';

const common = {
  location: filterText(100).optional(),
  subscription: filterText(100).optional(),
  resourceGroup: filterText(100).optional(),
  cluster: filterText(2048).optional(),
  namespace: filterText(253).optional(),
  health: healthStates.optional(),
  name: filterText(253).optional(),
  q: filterText(200).optional(),
  sort: filterText(50).optional(),
  limit: pageLimit.optional(),
  cursor: pageCursor.optional(),
  maxAge: maximumAge.optional(),
  asOf: instant.optional(),
  tag: z
    .record(filterText(512), filterText(512), 'must be written tag.<name>=<value>')
    .refine((tags) => Object.keys(tags).length <= MAXIMUM_TAGS, `at most ${MAXIMUM_TAGS} tags`)
    .optional(),
};

const kindListQuery = z.strictObject(common);
const resourceListQuery = z.strictObject({
  kind: filterList(50).optional(),
  id: filterText(2048).optional(),
  ...common,
});

export type ResourceQuery =
  { by: 'filter'; request: ResourceListRequest } | { by: 'armId'; id: string; maxAgeSeconds: number | undefined };

/** @throws ControlError INVALID_REQUEST naming every faulty parameter. */
export function parseResourceQuery(query: unknown): ResourceQuery {
  const { kind, id, ...filter } = parseRequest(resourceListQuery, withTags(query), 'query');
  if (id === undefined) return { by: 'filter', request: listRequest(kind ?? [], filter, 'raw') };
  const { maxAge, ...others } = { kind, ...filter };
  const given = Object.entries(others).filter(([, value]) => value !== undefined);
  if (given.length === 0) return { by: 'armId', id, maxAgeSeconds: maxAge };
  throw new ControlError('INVALID_REQUEST', 'The query parameters do not go together.', {
    violations: given.map(([name]) => ({ path: name, message: 'Only maxAge can be given together with id.' })),
  });
}

/** @throws ControlError INVALID_REQUEST naming every faulty parameter. */
export function parseKindQuery(kind: string, query: unknown): ResourceListRequest {
  return listRequest([kind], parseRequest(kindListQuery, withTags(query), 'query'), 'typed');
}

function listRequest(
  kinds: string[],
  filter: z.output<typeof kindListQuery>,
  view: ResourceListRequest['view'],
): ResourceListRequest {
  const { maxAge, tag, ...others } = filter;
  return { kinds, view, ...presentMembers({ ...others, tags: tag, maxAgeSeconds: maxAge }) };
}

/** `tag.env=prod` -> `tag: {env: 'prod'}`. */
function withTags(query: unknown): Record<string, unknown> {
  const parameters: [string, unknown][] = [];
  const tags: [string, unknown][] = [];
  for (const [name, value] of Object.entries(query as Record<string, unknown>)) {
    // zod leaves this name out of records in silence: as an unknown parameter it is refused.
    if (name.startsWith(TAG_PREFIX) && name !== `${TAG_PREFIX}__proto__`)
      tags.push([name.slice(TAG_PREFIX.length), value]);
    else parameters.push([name, value]);
  }
  if (tags.length > 0) parameters.push(['tag', Object.fromEntries(tags)]);
  return Object.fromEntries(parameters);
}
