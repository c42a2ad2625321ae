import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { FastifyInstance, FastifyReply } from 'fastify';
import * as z from 'zod';
import type { AzureState } from './azure.state.js';
import { answerControl, bodyOf, parse } from './control.exchange.js';
import { ControlRequestError } from './control.request-error.js';
import { faultRequestSchema } from './fault.store.js';
import type { FaultStore } from './fault.store.js';
import { ForeignChange, foreignChangeSchema } from './foreign.change.js';
import type { RequestLog } from './request-log.js';
import type { ResourceEngine } from './resource.engine.js';
import { SUBSCRIPTION_TYPE } from './resource-type.registry.js';
import { settingsSchema } from './simulator.settings.js';

export interface ControlParts {
  state: AzureState;
  engine: ResourceEngine;
  faults: FaultStore;
  log: RequestLog;
  /** Loads the estate again and takes back every setting and fault. */
  reset: () => void;
  changed: () => void;
}

const errorSchema = z.strictObject({ code: z.string().min(1), message: z.string().min(1) });

const failNextSchema = z.strictObject({
  match: z
    .strictObject({ resourceId: z.string().optional(), type: z.string().optional(), action: z.string().optional() })
    .default({}),
  error: errorSchema,
  times: z.int().min(1).default(1),
});

const quotaSchema = z.strictObject({
  subscriptionId: z.string(),
  location: z.string().min(1),
  cores: z.int().min(0).nullable(),
});

const requestFilterSchema = z.strictObject({
  method: z.string().optional(),
  path: z.string().optional(),
  since: z.coerce.number().int().min(0).optional(),
});

/** `/_simulator/…`: what a test does to the simulated Azure from the outside. No token is needed. */
export function registerControlRoutes(app: FastifyInstance, parts: ControlParts): void {
  const { state, engine, faults, log } = parts;
  const foreign = new ForeignChange(state, engine);
  const answer = (reply: FastifyReply, body: unknown, status = 200): FastifyReply => {
    parts.changed();
    return answerControl(reply, body, status);
  };

  app.get('/_simulator/health', (_request, reply) => {
    engine.advance();
    const subscriptions = state.resources.records(state.resources.ofType(SUBSCRIPTION_TYPE).all());
    return answer(reply, {
      status: 'ok',
      tenantId: state.tenantId,
      subscriptions: subscriptions.map(({ subscriptionId, body }) => ({
        subscriptionId,
        displayName: body.displayName,
      })),
      resources: state.resources.size,
      settings: state.settings,
    });
  });

  app.get('/_simulator/requests', (request, reply) => {
    const { method, path, since } = parse(requestFilterSchema, request.query);
    return answer(reply, {
      requests: log.find({ method, since, path: path === undefined ? undefined : pattern(path) }),
    });
  });
  app.delete('/_simulator/requests', (_request, reply) => {
    log.clear();
    return answer(reply, { requests: [] });
  });

  app.post('/_simulator/faults', (request, reply) =>
    answer(reply, faults.add(parse(faultRequestSchema, bodyOf(request))), 201),
  );
  app.get('/_simulator/faults', (_request, reply) => answer(reply, { faults: faults.list() }));
  app.get<{ Params: { id: string } }>('/_simulator/faults/:id', (request, reply) => {
    const fault = faults.get(request.params.id);
    if (fault === undefined) throw new ControlRequestError(404, `There is no fault ${request.params.id}.`);
    return answer(reply, fault);
  });
  app.delete('/_simulator/faults', (_request, reply) => {
    faults.clear();
    return answer(reply, { faults: [] });
  });
  app.delete<{ Params: { id: string } }>('/_simulator/faults/:id', (request, reply) => {
    if (!faults.remove(request.params.id))
      throw new ControlRequestError(404, `There is no fault ${request.params.id}.`);
    return answer(reply, { faults: faults.list() });
  });

  app.get('/_simulator/operations', (_request, reply) => {
    engine.advance();
    return answer(reply, { operations: [...state.operations.all()] });
  });
  app.post('/_simulator/operations/fail-next', (request, reply) => {
    const { match, error, times } = parse(failNextSchema, bodyOf(request));
    if (match.resourceId !== undefined && ArmId.tryParse(match.resourceId) === undefined) {
      throw new ControlRequestError(400, `match.resourceId: "${match.resourceId}" is no ARM id.`);
    }
    const planned = state.plannedFailures.add({
      error,
      times,
      ...(match.resourceId === undefined ? {} : { resourceId: ArmId.parse(match.resourceId).canonical }),
      ...(match.type === undefined ? {} : { type: match.type.toLowerCase() }),
      ...(match.action === undefined ? {} : { action: match.action }),
    });
    return answer(reply, planned, 201);
  });

  app.post('/_simulator/quota', (request, reply) => {
    const { subscriptionId, location, cores } = parse(quotaSchema, bodyOf(request));
    if (state.subscription(subscriptionId) === undefined) {
      throw new ControlRequestError(404, `There is no subscription ${subscriptionId}.`);
    }
    state.setCoreQuota(subscriptionId, location, cores);
    return answer(reply, { subscriptionId, location, cores });
  });

  app.post('/_simulator/resources', (request, reply) => {
    engine.advance();
    return answer(reply, foreign.apply(parse(foreignChangeSchema, bodyOf(request))));
  });

  app.get('/_simulator/settings', (_request, reply) => answer(reply, state.settings));
  app.post('/_simulator/settings', (request, reply) => {
    state.settings = { ...state.settings, ...withoutUndefined(parse(settingsSchema.partial(), bodyOf(request))) };
    return answer(reply, state.settings);
  });

  app.post('/_simulator/reset', (_request, reply) => {
    parts.reset();
    return answer(reply, { status: 'ok', resources: state.resources.size });
  });
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text, 'i');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ControlRequestError(400, `path: ${error.message}`);
  }
}

function withoutUndefined(value: JsonObject | Record<string, unknown>): object {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}
