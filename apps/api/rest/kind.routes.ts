import type { RouteOptions } from 'fastify';
import { z } from 'zod';
import { kindPath } from '#libs/kernel/kind-name.js';
import type { ResourceControl } from '#libs/control/resource.control.js';
import type { KindDefinition } from '#libs/systems/contract/kind-definition.js';
import { presentMembers } from '../http/present-members.js';
import { maximumAge } from '../http/query.schemas.js';
import { waitSignal } from '../http/wait-signal.js';
import { callerOf } from '../http/request.caller.js';
import { parseRequest } from '../http/request.parser.js';
import { parseKindQuery } from './resource.query.js';

const itemQuery = z.strictObject({ maxAge: maximumAge.optional() });

/** The typed list and item of one kind: `FleetMember` -> `/v1/fleet-members`, `/v1/fleet-members/{uid}`. */
export function kindRoutes(kind: KindDefinition, resources: ResourceControl, isAdvised: boolean): RouteOptions[] {
  const url = `/v1/${kindPath(kind.name)}`;
  const advice: RouteOptions = {
    method: 'GET',
    url: `${url}/:uid/advice`,
    handler: async (request) => {
      const { uid } = request.params as { uid: string };
      return { items: await resources.advice(callerOf(request), kind.name, uid, waitSignal(request, 0)) };
    },
  };
  return [
    ...(isAdvised ? [advice] : []),
    {
      method: 'GET',
      url,
      handler: (request) => {
        const query = parseKindQuery(kind.name, request.query);
        return resources.list(callerOf(request), query, waitSignal(request, query.maxAgeSeconds));
      },
    },
    {
      method: 'GET',
      url: `${url}/:uid`,
      handler: (request) => {
        const { maxAge } = parseRequest(itemQuery, request.query, 'query');
        const { uid } = request.params as { uid: string };
        const options = { kind: kind.name, view: 'typed', ...presentMembers({ maxAgeSeconds: maxAge }) } as const;
        return resources.get(callerOf(request), uid, options, waitSignal(request, maxAge));
      },
    },
  ];
}
